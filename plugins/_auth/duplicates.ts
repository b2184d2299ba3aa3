/** Finds JSON objects that say one thing twice: two readers of such a text may see two different things. */

/** Where the string that begins at `from` ends: the index of its closing quote. */
const endOfString = (json: string, from: number): number => {
  let at = from + 1;
  while (json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at;
};

/** True when an object at any depth has two members of one name. `json` must be valid JSON. */
export function hasDuplicates(json: string): boolean {
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
      atName = char === '{';
    } else if (char === '}' || char === ']') {
      open.pop();
      atName = false;
    } else if (char === ',') atName = open.at(-1) !== null;
  }
  return false;
}
