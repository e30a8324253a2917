// The quantile of a few numbers by quickselect (Hoare, "Algorithm 65: find", 1961). It runs at every choice, so it works in place and
// allocates nothing.

/** Collects numbers for one question at a time; its buffer is used again. */
export class Quantile {
  private values = new Float64Array(64)
  private count = 0

  clear(): void {
    this.count = 0
  }

  add(value: number): void {
    if (this.count === this.values.length) {
      const wider = new Float64Array(this.count * 2)
      wider.set(this.values)
      this.values = wider
    }
    this.values[this.count++] = value
  }

  /** The added number below which this share of them lies, 0 to 1; 0 without numbers. Reorders them. */
  at(share: number): number {
    const { values, count } = this
    if (count === 0) return 0
    const rank = Math.floor(share * (count - 1))
    let low = 0
    let high = count - 1
    while (low < high) {
      const pivot = values[(low + high) >> 1] as number
      let left = low
      let right = high
      while (left <= right) {
        while ((values[left] as number) < pivot) left++
        while ((values[right] as number) > pivot) right--
        if (left > right) break
        const swapped = values[left] as number
        values[left++] = values[right] as number
        values[right--] = swapped
      }
      if (rank <= right) high = right
      else if (rank >= left) low = left
      else break
    }
    return values[rank] as number
  }
}
