// The picture: a line comes in at the primary and branches to a shed for each worker. An answer runs its line as a car.

const SVG = 'http://www.w3.org/2000/svg'
/** Two layouts, in units of the picture: a phone has no room for long rails and long notes, and its text must not shrink. */
const LAYOUTS = {
  wide: {
    width: 800,
    primary: { x: 170, y: 220, width: 110 },
    shed: { x: 480, width: 310, height: 52 },
    straight: 70,
    homeNote: (pid) => `pid ${pid} · your chat lives here`,
  },
  narrow: {
    width: 300,
    primary: { x: 44, y: 220, width: 72 },
    shed: { x: 119, width: 180, height: 54 },
    straight: 10,
    homeNote: () => 'your chat',
  },
}
const HEIGHT = 440
const POOL_GAP = 18
const RUN_MS = 420
const MAX_CARS = 60

function draw(parent, name, attributes, text) {
  const element = document.createElementNS(SVG, name)
  set(element, attributes)
  if (text !== undefined) element.textContent = text
  parent.append(element)
  return element
}

function set(element, attributes) {
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
}

/** Draws the yard of `workers`, such as `{ web: 4, heavy: 2 }`, into `svg`, and again when the window gets narrow or wide. */
export function createYard(svg, workers) {
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches
  const narrow = matchMedia('(max-width: 600px)')
  const lines = draw(svg, 'g', {})
  const cars = draw(svg, 'g', {})
  const trunk = draw(lines, 'path', { class: 'rail' })
  const box = draw(svg, 'rect', { class: 'primary', height: 48, rx: 12 })
  const name = draw(svg, 'text', {}, 'primary')
  const clients = draw(svg, 'text', { class: 'quiet' }, 'clients')
  const sheds = new Map()
  for (const [pool, count] of Object.entries(workers)) {
    for (let slot = 0; slot < count; slot++) {
      const shed = draw(svg, 'g', { class: pool, 'data-worker': `${pool}/${slot}` })
      sheds.set(`${pool}/${slot}`, {
        shed,
        pool,
        rail: draw(lines, 'path', { class: 'rail' }),
        walls: ['shed', 'glow'].map((part) => draw(shed, 'rect', { class: part, rx: 12 })),
        lamp: draw(shed, 'circle', { class: 'lamp', r: 5 }),
        title: draw(shed, 'text', {}, `${pool} ${slot}`),
        note: draw(shed, 'text', { class: 'quiet' }, 'nothing yet'),
        count: draw(shed, 'text', { class: 'count' }, '0'),
        ...{ answers: 0, pid: undefined, home: false },
      })
    }
  }
  let layout
  place()
  narrow.addEventListener('change', place)

  function place() {
    layout = narrow.matches ? LAYOUTS.narrow : LAYOUTS.wide
    const { width, primary, shed, straight } = layout
    svg.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`)
    set(trunk, { d: `M 0 ${primary.y} H ${primary.x}` })
    set(box, { x: primary.x - primary.width / 2, y: primary.y - 24, width: primary.width })
    set(name, { x: primary.x, y: primary.y + 5 })
    set(clients, { x: 2, y: primary.y - (narrow.matches ? 34 : 14) })
    const step = (HEIGHT - POOL_GAP) / sheds.size
    const firstPool = Object.keys(workers)[0]
    let row = 0
    for (const worker of sheds.values()) {
      const y = (row++ + 0.5) * step + (worker.pool === firstPool ? 0 : POOL_GAP)
      const bend = (primary.x + shed.x) / 2
      set(worker.rail, { d: `M ${primary.x} ${primary.y} C ${bend} ${primary.y} ${bend - 20} ${y} ${shed.x - straight} ${y} H ${shed.x}` })
      for (const wall of worker.walls) set(wall, { x: shed.x, y: y - shed.height / 2, width: shed.width, height: shed.height })
      set(worker.lamp, { cx: shed.x + 20, cy: y })
      set(worker.title, { x: shed.x + 38, y: y - 3 })
      set(worker.note, { x: shed.x + 38, y: y + 15 })
      set(worker.count, { x: shed.x + shed.width - 18, y: y + 8 })
      if (worker.pid !== undefined) showNote(worker)
    }
  }

  function showNote(worker) {
    worker.note.textContent = worker.home ? layout.homeNote(worker.pid) : `pid ${worker.pid}`
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
