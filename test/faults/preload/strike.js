// Given to Node by --import: counts what a process changes in files, and kills it (kill -9) at one of these changes,
// before it, in its middle or after it. FAULTS_STRIKE="17 half"; FAULTS_COUNT=FILE: how many there were.
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { isMainThread } from 'node:worker_threads'

const [at, how] = (process.env.FAULTS_STRIKE ?? '').split(' ')
const { FAULTS_COUNT } = process.env
let changes = 0

const die = () => process.kill(process.pid, 'SIGKILL')

/** Half of what a write would write: the data stands at this place of its arguments. */
const half = (data) => (typeof data === 'string' ? data : Buffer.from(data)).slice(0, Math.floor(data.length / 2))

function strikeAt(object, name, data) {
  const real = object[name]
  object[name] = async function (...args) {
    const isNow = ++changes === Number(at)
    if (isNow && how === 'before') die()
    if (isNow && how === 'half' && data !== undefined) await real.call(this, ...args.with(data, half(args[data])))
    else if (isNow && how === 'half') die()
    const result = isNow && how === 'half' ? undefined : await real.apply(this, args)
    if (isNow) die()
    return result
  }
}

if (isMainThread) {
  for (const name of ['rename', 'rm', 'rmdir', 'mkdir', 'link', 'symlink', 'copyFile']) strikeAt(fs.promises, name)
  for (const name of ['writeFile', 'appendFile']) strikeAt(fs.promises, name, 1)
  const file = await fs.promises.open(process.execPath)
  strikeAt(Object.getPrototypeOf(file), 'truncate')
  strikeAt(Object.getPrototypeOf(file), 'datasync')
  await file.close()
  syncBuiltinESMExports()
  if (FAULTS_COUNT) process.on('exit', () => fs.writeFileSync(FAULTS_COUNT, String(changes)))
}
