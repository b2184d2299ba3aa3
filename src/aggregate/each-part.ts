/** A part that is asked for each element of a list: one call for all that would ask the same, so many at a time. */
import { type GatewayError, gatewayError } from '../kernel/errors.ts';
import { type Answers, ElementAnswers } from './answers.ts';
import { elementsOf, valueAt } from './json.ts';
import { PartCall } from './part-call.ts';
import { callKey, type Filled, filledLength, fillPart } from './part-request.ts';
import { errorOf, PartRun } from './part-run.ts';

/** One element of the list: the call that its answer comes from, or why there is none. */
type Place = PartCall | GatewayError;

const isCall = (place: Place): place is PartCall => place instanceof PartCall;

const isMap = (json: string) => json.startsWith('{');

export class EachPart extends PartRun {
  override answer = '[]';
  override value = '[]';
  /** In the order of the list. */
  readonly #places: Place[] = [];
  /** The calls that differ, with the number of elements that each is for. */
  readonly #calls = new Map<PartCall, number>();
  #waiting: PartCall[] = [];
  #underWay = 0;
  /** Calls are being started: one that ends meanwhile leaves the next round to the loop. */
  #starting = false;
  /** Elements past the most. */
  #left = 0;
  #missing = 0;
  /** Of what all elements would be asked with, those that share a call included. */
  #askedLength = 0;
  /** Of what goes into the whole, or of what other parts look into where that is more. */
  #sizeBytes = 0;
  /** Whether another part looks into its answer. */
  #isRead = false;

  override get remarks(): string {
    return `;calls=${this.#calls.size - this.#waiting.length}${this.lack}`;
  }

  override get lack(): string {
    return this.#missing === 0 ? '' : `;missing=${this.#missing}`;
  }

  settled(call: PartCall): void {
    this.#underWay--;
    if (this.state === 'ended') return;
    const failure = call.error ?? this.#keep(call);
    if (failure !== null && !this.options.part.optional) {
      this.failedHead = call.answerHead;
      this.#fail(failure, this.#places.indexOf(call));
    } else this.#advance();
  }

  protected ask(answers: Answers): void {
    const elements = this.#elements(answers);
    const { each, name } = this.options.part;
    const { most } = each!;
    this.#isRead = [...this.context.runs.values()].some(({ options }) => options.part.needs.includes(name));
    this.#left = Math.max(0, elements.length - most);
    if (this.#left > 0 && !this.options.part.optional) throw tooMany(elements.length, most);
    this.#prepare(elements.slice(0, most), answers);
    const refused = this.#places.findIndex((place) => !isCall(place));
    if (refused >= 0 && !this.options.part.optional)
      this.#fail(this.#places[refused] as GatewayError, refused);
    else this.#advance();
  }

  protected giveUp(why: GatewayError): void {
    for (const call of this.#calls.keys()) if (call.state === 'running') call.drop(why);
  }

  /** @throws GatewayError where there is no list */
  #elements(answers: Answers): string[] {
    const each = this.options.part.each!;
    const { part, steps, member } = each;
    const list = answers.json(each);
    const elements = list === null ? null : elementsOf(list);
    if (elements === null)
      throw gatewayError('GW_PART_VALUE', `${['parts', part, ...steps].join('.')} is no list`);
    // Where pick, drop and rename have taken the list away, its elements can take no members.
    if (member !== null && this.#hostCount(part, steps) !== elements.length)
      throw gatewayError('GW_PART_VALUE', `${['parts', part, ...steps].join('.')} is not in the answer`);
    return elements;
  }

  /** Elements that the list has where it goes into the whole; -1 for no list. */
  #hostCount(part: string, steps: readonly string[]): number {
    const host = this.context.runs.get(part)!;
    const list = valueAt(host.value, host.placeOf(steps));
    return (list === null ? null : elementsOf(list))?.length ?? -1;
  }

  /** Makes a call for each element, and one for all that would ask the same. */
  #prepare(elements: readonly string[], answers: Answers): void {
    const byKey = new Map<string, PartCall>();
    const own = new ElementAnswers(answers);
    for (const element of elements) {
      own.element = element;
      this.#places.push(this.#place(element, own, byKey));
    }
    this.#waiting = [...this.#calls.keys()];
  }

  #place(element: string, answers: ElementAnswers, byKey: Map<string, PartCall>): Place {
    if (this.options.part.each!.member !== null && !isMap(element))
      return gatewayError('GW_PART_VALUE', 'is no map, so it can take no member');
    try {
      const filled = fillPart(this.x, this.options, answers);
      this.#holdAsked(filled);
      const key = callKey(filled);
      const call = byKey.get(key) ?? new PartCall(this, filled);
      byKey.set(key, call);
      this.#calls.set(call, (this.#calls.get(call) ?? 0) + 1);
      return call;
    } catch (cause) {
      return errorOf(cause);
    }
  }

  /** @throws GatewayError: a long value in the body of each call would be held as many times */
  #holdAsked(filled: Filled): void {
    const { limitBytes } = this.options.part;
    this.#askedLength += filledLength(filled);
    if (this.#askedLength > limitBytes)
      throw gatewayError('GW_PART_TOO_LARGE', `more than ${limitBytes} bytes to ask with`);
  }

  #advance(): void {
    if (this.#starting) return;
    const { concurrency } = this.options.part.each!;
    this.#starting = true;
    while (this.state === 'running' && this.#underWay < concurrency && this.#waiting.length > 0) {
      this.#underWay++;
      this.#waiting.shift()!.start();
    }
    this.#starting = false;
    if (this.#underWay === 0) this.#finish();
  }

  /** Holds the lists to the limit, too: one answer may stand in them many times. */
  #keep(call: PartCall): GatewayError | null {
    const { limitBytes } = this.options.part;
    const readBytes = this.#isRead ? Buffer.byteLength(call.answer) : 0;
    const sizeBytes = Math.max(Buffer.byteLength(call.value), readBytes) * this.#calls.get(call)!;
    if (this.#sizeBytes + sizeBytes <= limitBytes) {
      this.#sizeBytes += sizeBytes;
      return null;
    }
    call.error = gatewayError('GW_PART_TOO_LARGE', `more than ${limitBytes} bytes with all elements`);
    return call.error;
  }

  /** Required, it cannot do without any element. */
  #fail(error: GatewayError, at: number): void {
    const of = gatewayError(error.code, `element ${at}: ${error.detail}`, error.cause);
    this.giveUp(gatewayError('GW_PART_DROPPED'));
    this.settle(of);
  }

  /** All calls have ended. */
  #finish(): void {
    if (this.state === 'ended') return;
    const { defaultJson, each } = this.options.part;
    const errors = this.#places.flatMap((place) => (isCall(place) ? (place.error ?? []) : place));
    const listOf = (member: 'answer' | 'value') =>
      `[${this.#places.map((place) => (isCall(place) && place.error === null ? place[member] : defaultJson)).join(',')}]`;
    this.value = listOf('value');
    // What nobody looks into has no bound, and is not made.
    this.answer = this.#isRead ? listOf('answer') : this.value;
    this.heads = [...this.#calls.keys()].flatMap(({ error, answerHead }) =>
      error === null && answerHead !== null ? answerHead : [],
    );
    this.#missing = errors.length + this.#left;
    this.settle(errors[0] ?? (this.#left > 0 ? tooMany(this.#places.length + this.#left, each!.most) : null));
  }
}

const tooMany = (count: number, most: number) =>
  gatewayError('GW_PART_TOO_MANY', `${count} elements of ${most}`);
