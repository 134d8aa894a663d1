import { beforeAll, describe, expect, test } from 'vitest'
import { leastTest, leastTrain } from './pictures.ts'
import { type DemoImage, type DemoTask, demoTasks } from './tasks.ts'

let tasks: DemoTask[] = []
beforeAll(async () => {
  tasks = await demoTasks()
}, 120_000)

const unshifted = () => tasks.filter((task) => !task.shift)
const counts = (images: readonly DemoImage[], classes: number) =>
  Array.from({ length: classes }, (_, label) => images.filter((image) => image.label === label).length)

describe('demoTasks', { timeout: 120_000 }, () => {
  test('there are nine tasks and one under a shift of style, with 60 classes of people and more', () => {
    expect(tasks.map(({ name, classNames }) => [name, classNames.length])).toEqual([
      ['objects', 24],
      ['professions', 20],
      ['sports', 12],
      ['activities', 12],
      ['gestures', 9],
      ['fantasy', 7],
      ['appearance', 9],
      ['style', 6],
      ['skin-tone', 6],
      ['professions-shift', 20],
    ])
    expect(tasks.filter((task) => task.shift).map(({ name }) => name)).toEqual(['professions-shift'])
  })

  test('every class has pictures for 16 shots and for testing, all different', () => {
    for (const { name, classNames, train, test: tested } of tasks) {
      expect(Math.min(...counts(train, classNames.length)), name).toBeGreaterThanOrEqual(leastTrain)
      expect(Math.min(...counts(tested, classNames.length)), name).toBeGreaterThanOrEqual(leastTest)
      const ids = [...train, ...tested].map(({ id }) => id)
      expect(new Set(ids).size, name).toBe(ids.length)
      expect(new Set(classNames).size, name).toBe(classNames.length)
    }
  })

  test('a variant is in training or in test, in whatever style', () => {
    const code = ({ id }: DemoImage) => id.slice(id.indexOf('/') + 1)
    for (const { name, train, test: tested } of unshifted()) {
      const learned = new Set(train.map(code))
      expect(
        tested.filter((image) => learned.has(code(image))).map(({ id }) => id),
        name,
      ).toEqual([])
    }
  })

  test.each(['objects', 'style', 'skin-tone'])('%s: what is tested is another thing than what is learned', (name) => {
    const task = tasks.find((one) => one.name === name)
    const learned = new Set(task?.train.map(({ concept }) => concept))
    expect(task?.test.filter(({ concept }) => learned.has(concept))).toEqual([])
  })

  test('tasks on people hold every gender and tone in training and in test, in both styles', () => {
    const sports = tasks.find(({ name }) => name === 'sports')
    for (const part of [sports?.train ?? [], sports?.test ?? []]) {
      const golfers = part.filter(({ label }) => label === 0)
      expect(new Set(golfers.map(({ concept }) => concept)).size).toBe(3)
      expect(golfers.filter(({ style }) => style === 'openmoji').length).toBe(golfers.length / 2)
    }
    expect(counts(sports?.train ?? [], 12)).toEqual(new Array(12).fill(24))
    expect(counts(sports?.test ?? [], 12)).toEqual(new Array(12).fill(12))
  })

  test('the shift task learns from one style and tests another', () => {
    const shift = tasks.find((task) => task.shift)
    expect(new Set(shift?.train.map(({ style }) => style))).toEqual(new Set(['fluent-3d']))
    expect(new Set(shift?.test.map(({ style }) => style))).toEqual(new Set(['openmoji']))
  })

  test('the pictures are always the same', async () => {
    const again = await demoTasks()
    const ids = (list: readonly DemoTask[]) =>
      list.map(({ train, test: tested }) => [...train, ...tested].map(({ id }) => id))
    expect(ids(again)).toEqual(ids(tasks))
  })

  test('drawings are 128 pixels wide on white, one of each style', async () => {
    const style = tasks.find(({ name }) => name === 'style')
    for (const label of style?.classNames.keys() ?? []) {
      const image = await style?.train.find((one) => one.label === label)?.render()
      expect([image?.width, image?.height, image?.data.length]).toEqual([128, 128, 128 * 128 * 3])
      expect(new Set(image?.data).size).toBeGreaterThan(1)
    }
    const thing = tasks[0]?.train.find(({ id }) => id === 'fluent-3d/1F34E') ?? tasks[0]?.train[0]
    expect([...((await thing?.render())?.data.subarray(0, 3) ?? [])]).toEqual([255, 255, 255])
  })

  test('prompts have one place for the class name', () => {
    for (const { prompt } of tasks) expect(prompt.split('{}')).toHaveLength(2)
  })
})
