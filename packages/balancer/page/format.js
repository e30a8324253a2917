// Writes numbers for people, always in the same few forms.

const whole = new Intl.NumberFormat('en')

export function count(value) {
  return whole.format(Math.round(value))
}

/** Per second, without the unit: `0.4`, `12`, `1,234`. */
export function rate(value) {
  return value > 0 && value < 9.95 ? value.toFixed(1) : count(value)
}

export function millis(value) {
  if (value === null || value === undefined) return '–'
  if (value < 9.95) return `${value.toFixed(1)} ms`
  return value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`
}

export function percent(share) {
  return `${Math.round(share * 100)} %`
}

export function bytes(value) {
  return value < 1024 ** 3 ? `${Math.round(value / 1024 ** 2)} MB` : `${(value / 1024 ** 3).toFixed(1)} GB`
}

export function duration(ms) {
  const seconds = Math.round(ms / 1000)
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 120) return `${minutes} min`
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1440)} d`
}

export function clock(time) {
  return new Date(time).toLocaleTimeString('en-GB')
}

export function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`
}
