import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { isTemplatesFile, templatesOf } from './templates-file.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coop-templates-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function written(name: string, text: string): Promise<string> {
  const file = join(folder, name)
  await writeFile(file, text)
  return file
}

it('reads descriptions of classes from JSON and YAML, and a list of templates', async () => {
  const cats = { cat: ['A small animal.', 'It purrs.'], dog: ['It barks.'] }
  expect(await templatesOf([await written('a.json', `\uFEFF${JSON.stringify(cats)}`)])).toEqual(cats)
  const yaml = 'cat:\n  - A small animal.\n  - It purrs.\ndog: It barks.\n'
  expect(await templatesOf([await written('a.YAML', yaml)])).toEqual(cats)
  expect(await templatesOf([await written('list.yml', '- a {}.\n- imagenet7\n')])).toEqual(['a {}.', 'imagenet7'])
})

it('leaves templates as they are', async () => {
  expect(await templatesOf(undefined)).toBeUndefined()
  expect(await templatesOf(['a {}.json'])).toEqual(['a {}.json'])
  expect(['a.json', 'b.yml', 'a {}.json', 'imagenet7', 'a.txt'].map(isTemplatesFile)).toEqual([
    true,
    true,
    false,
    false,
    false,
  ])
})

it.each([
  ['empty.json', '{}', /empty\.json .*\n.*descriptions of at least one class/],
  ['none.json', '{"cat": ["A cat."], "dog": []}', /none\.json .*\n +dog: a list of at least one description/],
  ['blank.yaml', 'cat: [" "]', /blank\.yaml .*\n +cat\.0: a description that is not empty/],
  ['number.json', '{"cat": 3}', /number\.json .*\n +cat: a list of at least one description/],
  ['text.yaml', 'just words', /text\.yaml .*\n.*by the name of each class a list of descriptions/],
  ['twice.json', '{"cat": ["a"], "cat": ["b"]}', /twice\.json:1:/],
  ['broken.yaml', 'cat: [', /broken\.yaml:\d/],
  ['broken.json', '{"cat": [', /broken\.json:1:.*not valid JSON/],
])('refuses %s: %s', async (name, text, message) => {
  await expect(templatesOf([await written(name, text)])).rejects.toThrow(message)
})

it('refuses a file that is not there, and one beside other prompts', async () => {
  await expect(templatesOf([join(folder, 'gone.json')])).rejects.toThrow(/gone\.json/)
  await expect(templatesOf(['a {}.', await written('b.json', '{"cat": ["a"]}')])).rejects.toThrow(/cannot be mixed/)
})
