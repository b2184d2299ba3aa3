/** How the attempts at one endpoint have gone: plain numbers, which outlier ejection judges by. */

export class AttemptRecord {
  /** Since the last success. */
  failuresInARow = 0;
  /** Since the last comparison with the others. */
  good = 0;
  bad = 0;
  /** How many ejections still count; each makes the next one longer. */
  level = 0;
  /** All ejections so far. */
  ejections = 0;
  /** When it last came back from one, monotonic. */
  backMs = 0;
}
