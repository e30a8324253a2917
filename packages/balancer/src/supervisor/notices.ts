// What several workers say in the same words stands in the log once.

/** A worker may say anything: no more sentences are remembered, and none beyond them is told. */
const MAX_SENTENCES = 64

export class Notices {
  private readonly said = new Set<string>()

  /** Is it new? From now on it is not. */
  isFirst(sentence: string): boolean {
    if (this.said.has(sentence) || this.said.size >= MAX_SENTENCES) return false
    this.said.add(sentence)
    return true
  }
}
