// Given to Node by --import: the clock of a process jumps hours back and forth while it works. FAULTS_CLOCK: hours at most.
const hours = Number(process.env.FAULTS_CLOCK ?? 12)
const RealDate = Date
let offset = 0

function jump() {
  offset = Math.round((2 * Math.random() - 1) * hours * 3_600_000)
  setTimeout(jump, 20 + 400 * Math.random()).unref()
}
jump()

const now = () => RealDate.now() + offset
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, as) => Reflect.construct(target, args.length === 0 ? [now()] : args, as),
  get: (target, key) => (key === 'now' ? now : Reflect.get(target, key)),
})
