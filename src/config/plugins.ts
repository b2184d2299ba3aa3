/** Plugin instances as the file names them; their settings are checked by the plugin's own schema. */
import type { Report } from './report.ts';
import type { ConfigPath, PluginUse, PluginUses } from './types.ts';

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
const REMEDY = 'Write small letters, digits and `-`, such as rate-limit.';

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const readUse = (report: Report, name: string, value: unknown, path: ConfigPath): PluginUse => {
  if (value === false) return false;
  if (!isMap(value)) return { type: name, config: value === null || value === true ? {} : value, path };
  if (!Object.hasOwn(value, 'type')) return { type: name, config: value, path };
  const { type, ...config } = value;
  if (typeof type !== 'string' || !NAME.test(type)) {
    report.on([...path, 'type'], {
      message: `${report.show([...path, 'type'], type)} is no name of a plugin`,
      remedy: REMEDY,
    });
    return false;
  }
  return { type, config, path };
};

/** Reads a `plugins` map; `type` is taken out of the settings. */
export function readPlugins(report: Report, uses: Record<string, unknown>, path: ConfigPath): PluginUses {
  const read: Record<string, PluginUse> = Object.create(null);
  for (const [name, value] of Object.entries(uses)) {
    if (!NAME.test(name) || name.length > 64)
      report.onKey([...path, name], {
        message: `${report.showKey([...path, name])} is no name of a plugin instance`,
        remedy: REMEDY,
      });
    else read[name] = readUse(report, name, value, [...path, name]);
  }
  return read;
}
