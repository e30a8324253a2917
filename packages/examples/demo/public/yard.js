// The picture: a line comes in at the primary and branches to a shed for each worker. An answer runs its line as a car.

const SVG = 'http://www.w3.org/2000/svg'
const DOOR = { x: 170, y: 220 }
const SHED = { x: 480, width: 310, height: 52 }
const RUN_MS = 420
const MAX_CARS = 60

function draw(parent, name, attributes, text) {
  const element = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  if (text !== undefined) element.textContent = text
  parent.append(element)
  return element
}

/** Draws the yard of `workers`, such as `{ web: 4, heavy: 2 }`, into `svg`. */
export function createYard(svg, workers) {
  const sheds = new Map()
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches
  const lines = draw(svg, 'g', {})
  const cars = draw(svg, 'g', {})
  draw(lines, 'path', { class: 'rail', d: `M 10 ${DOOR.y} H ${DOOR.x}` })
  draw(svg, 'rect', { class: 'door', x: DOOR.x - 55, y: DOOR.y - 24, width: 110, height: 48, rx: 12 })
  draw(svg, 'text', { x: DOOR.x, y: DOOR.y + 5 }, 'primary')
  draw(svg, 'text', { class: 'quiet', x: 10, y: DOOR.y - 14 }, 'clients')

  const seats = Object.entries(workers).flatMap(([pool, count]) => Array.from({ length: count }, (_, slot) => ({ pool, slot })))
  const gap = 18
  const step = (440 - gap) / seats.length
  seats.forEach(({ pool, slot }, index) => {
    const y = (index + 0.5) * step + (pool === seats[0].pool ? 0 : gap)
    const bend = (DOOR.x + SHED.x) / 2
    const rail = draw(lines, 'path', {
      class: 'rail',
      d: `M ${DOOR.x} ${DOOR.y} C ${bend} ${DOOR.y} ${bend - 20} ${y} ${SHED.x - 70} ${y} H ${SHED.x}`,
    })
    const shed = draw(svg, 'g', { class: pool, 'data-worker': `${pool}/${slot}` })
    const top = y - SHED.height / 2
    draw(shed, 'rect', { class: 'shed', x: SHED.x, y: top, width: SHED.width, height: SHED.height, rx: 12 })
    draw(shed, 'rect', { class: 'glow', x: SHED.x, y: top, width: SHED.width, height: SHED.height, rx: 12 })
    draw(shed, 'circle', { class: 'lamp', cx: SHED.x + 20, cy: y, r: 5 })
    draw(shed, 'text', { x: SHED.x + 38, y: y - 3 }, `${pool} ${slot}`)
    const note = draw(shed, 'text', { class: 'quiet', x: SHED.x + 38, y: y + 15 }, 'nothing yet')
    const count = draw(shed, 'text', { class: 'count', x: SHED.x + SHED.width - 18, y: y + 8 }, '0')
    sheds.set(`${pool}/${slot}`, { rail, shed, note, count, pool, answers: 0, pid: undefined, home: false })
  })

  function showNote(worker) {
    worker.note.textContent = `pid ${worker.pid}${worker.home ? ' · your chat lives here' : ''}`
  }

  function arrive(worker) {
    worker.shed.classList.remove('answered')
    void worker.shed.getBoundingClientRect()
    worker.shed.classList.add('answered')
  }

  function run(worker) {
    if (still || document.hidden || cars.childElementCount >= MAX_CARS) return arrive(worker)
    const car = draw(cars, 'rect', { class: `car ${worker.pool}`, x: -9, y: -5, width: 18, height: 10, rx: 4 })
    car.style.setProperty('--colour', `var(--${worker.pool})`)
    const length = worker.rail.getTotalLength()
    const startedAt = performance.now()
    const move = (now) => {
      const share = Math.min(1, Math.max(0, (now - startedAt) / RUN_MS))
      const at = worker.rail.getPointAtLength(length * share)
      const behind = worker.rail.getPointAtLength(Math.max(0, length * share - 4))
      const angle = (Math.atan2(at.y - behind.y, at.x - behind.x) * 180) / Math.PI
      car.setAttribute('transform', `translate(${at.x} ${at.y}) rotate(${angle})`)
      if (share < 1) return requestAnimationFrame(move)
      car.remove()
      arrive(worker)
    }
    requestAnimationFrame(move)
  }

  return {
    /** A worker has answered. */
    answered({ pool, slot, pid }) {
      const worker = sheds.get(`${pool}/${slot}`)
      if (worker === undefined) return
      worker.pid = pid
      worker.answers++
      worker.count.textContent = String(worker.answers)
      showNote(worker)
      run(worker)
    },
    /** The session of this page's chat lives in that worker. */
    live({ pool, slot, pid }) {
      for (const [name, worker] of sheds) {
        worker.home = name === `${pool}/${slot}`
        worker.shed.classList.toggle('home', worker.home)
        if (worker.home) worker.pid = pid
        if (worker.pid !== undefined) showNote(worker)
      }
    },
  }
}
