import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { sha256 } from '../../base/sha256.ts'
import { type SampleTask, samplePaths } from '../../data/samples.ts'
import { decodeImage } from '../../node/image.ts'
import { bundledSamples } from '../../node/package.ts'
import { sampleTasks } from '../../runs/samples.ts'
import { type HeldOut, openHeldOut } from '../demo/held-out.ts'
import { plannedTasks } from './tasks.ts'

const at = (path: string) => join(bundledSamples(), path)

let heldOut: HeldOut
let tasks: SampleTask[]
beforeAll(async () => {
  heldOut = await openHeldOut()
  tasks = await sampleTasks()
})

it('index.json names every file of samples/, 3 MB in all', async () => {
  const entries = await readdir(bundledSamples(), { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
  const named = [...tasks.flatMap(samplePaths), 'index.json', 'LICENSE.txt', 'README.md', 'SHA256SUMS'].map(at)
  expect(files.sort()).toEqual(named.sort())
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size))
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(3e6)
})

it('every picture is 128 x 128 pixels, and no two of a task are the same', async () => {
  for (const task of tasks) {
    const seen = new Map<string, string>()
    for (const path of samplePaths(task)) {
      const { width, height, data } = await decodeImage(at(path))
      expect([width, height], path).toEqual([128, 128])
      const pixels = await sha256(data)
      expect(seen.get(pixels), path).toBeUndefined()
      seen.set(pixels, path)
    }
  }
})

it('an emoji is learned from or tested, not both, in whatever style', () => {
  const emoji = (files: readonly string[]) => files.map((file) => file.replace(/(-3d|-flat)?\.png$/, ''))
  for (const { name, classes } of tasks) {
    const learned = new Set(classes.flatMap(({ train }) => emoji(train)))
    const tested = classes.flatMap(({ test }) => emoji(test))
    expect(
      tested.filter((code) => learned.has(code)),
      name,
    ).toEqual([])
    for (const { name, train, test } of classes) {
      expect(train.length, name).toBe(16)
      expect(test.length, name).toBeGreaterThanOrEqual(8)
    }
  }
})

it('the files are the drawings that npm run samples makes', async () => {
  const files = (pictures: readonly { readonly file: string }[]) => pictures.map(({ file }) => file)
  const planned = plannedTasks(heldOut)
  const classesOf = ({ classes }: (typeof planned)[number]) =>
    classes.map(({ name, train, test }) => ({ name, train: files(train), test: files(test) }))
  expect(tasks).toEqual(planned.map((task) => ({ ...task, classes: classesOf(task) })))
  for (const { name, classes } of planned) {
    const [{ name: className = '', test: [first] = [] } = {}] = classes
    if (first === undefined) throw new Error(`${name} has no test picture`)
    const drawn = await heldOut.render(first.style, first.code)
    const kept = await decodeImage(at(`${name}/test/${className}/${first.file}`))
    const off = drawn.data.reduce((sum, value, i) => sum + Math.abs(value - (kept.data[i] ?? 0)), 0) / drawn.data.length
    expect(off, first.file).toBeLessThan(2) // of 255: it has 256 colours at most
  }
})
