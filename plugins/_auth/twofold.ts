/** Finds JSON that two readers may see two ways, or none to its end: names said twice, and nesting without measure. */

/** Where the string that begins at `from` ends: the index of its closing quote. */
const endOfString = (json: string, from: number): number => {
  let at = from + 1;
  while (json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at;
};

/** No claim needs more; whoever walks through the value afterwards may do so by recursion. */
const MOST_DEPTH = 32;

/** True when an object has two members of one name, or the nesting is deeper than `MOST_DEPTH`. `json` must be valid. */
export function isTwofold(json: string): boolean {
  // The names so far of each open object; null for a list.
  const open: (Set<string> | null)[] = [];
  let atName = false;
  for (let at = 0; at < json.length; at++) {
    const char = json[at];
    if (char === '"') {
      const end = endOfString(json, at);
      if (atName) {
        const name = JSON.parse(json.slice(at, end + 1)) as string;
        const names = open.at(-1)!;
        if (names?.has(name)) return true;
        names?.add(name);
        atName = false;
      }
      at = end;
    } else if (char === '{' || char === '[') {
      open.push(char === '{' ? new Set() : null);
      if (open.length > MOST_DEPTH) return true;
      atName = char === '{';
    } else if (char === '}' || char === ']') {
      open.pop();
      atName = false;
    } else if (char === ',') atName = open.at(-1) !== null;
  }
  return false;
}
