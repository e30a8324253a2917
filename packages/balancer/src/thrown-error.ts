// What to say of a thrown value: it need not be an Error.

/** The message of a caught value, for people. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
