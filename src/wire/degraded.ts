/** What a request may have had to do without, in words that logs can be searched for: the whole vocabulary. */
export const DEGRADED = {
  'limit-local': 'a rate limit was judged by this gateway’s part, since Redis was gone',
  'limit-open': 'a rate limit let it pass unjudged, since Redis was gone',
  'places-local': 'requests under way were counted by this gateway alone, since Redis was gone',
} as const;

export type Degraded = keyof typeof DEGRADED;
