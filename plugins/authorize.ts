/** Says what those may do who got in, by rules; what no rule allows is denied. */
import { definePlugin, type Exchange, refuse, z } from 'snowgate/plugin';
import {
  compileRule,
  othersHold,
  type Rule,
  type RuleConfig,
  ruleSchema,
  scopesHold,
} from './_auth/rules.ts';

/** Null when a condition has no answer: that allows nothing, and denies. */
const fits = (one: Rule, x: Exchange): boolean | null => scopesHold(one, x) && othersHold(one, x);

export default definePlugin({
  name: 'authorize',
  summary: 'Says what those may do who got in, by rules; what no rule allows is denied.',
  config: z.strictObject({
    allow: z
      .union([z.literal('everybody'), z.array(ruleSchema).min(1)])
      .describe('Rules, of which one must hold; or `everybody`, for all that `deny` leaves.'),
    deny: z.array(ruleSchema).default([]).describe('Rules of which none may hold, whatever `allow` says.'),
  }),
  setup(config, host) {
    const everybody = config.allow === 'everybody';
    const allow = (everybody ? [] : (config.allow as RuleConfig[])).map((one, at) =>
      compileRule(one, 'allow', at),
    );
    const deny = config.deny.map((one, at) => compileRule(one, 'deny', at));
    const denied = host.counter('authorize_denied', 'Requests that a rule, or none, kept out.', ['rule']);

    const forbid = (rule: string, reason: string, fields: Record<string, string> = {}) => {
      denied.add(1, { rule });
      return refuse('GW_FORBIDDEN', reason, fields);
    };

    return {
      authorize(x) {
        for (const one of deny)
          if (fits(one, x) !== false) return forbid(one.name, `denied by "${one.name}"`);
        if (everybody) return undefined;
        for (const one of allow) {
          if (fits(one, x) !== true) continue;
          x.slots[host.slot] = one.name;
          return undefined;
        }
        const weak = allow.find((one) => !scopesHold(one, x) && othersHold(one, x) === true);
        if (weak === undefined) return forbid('-', 'no rule allows it');
        const scope = weak.scopes!.join(' ');
        // RFC 6750 section 3.1: which scopes would have been enough.
        return forbid('-', `"${weak.name}" needs the scopes ${scope}`, {
          'www-authenticate': `Bearer error="insufficient_scope", scope="${scope}"`,
        });
      },
      explain: (x) => {
        const rule = x.slots[host.slot];
        return typeof rule === 'string' ? `allowed by "${rule}"` : 'nothing denies it';
      },
    };
  },
});
