import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tokenizerFiles } from '../lab/pretrain/save.ts'
import { coop, expectFailure, onlyJson } from '../testing/coop.ts'
import { tinyTables } from '../testing/tiny-clip.ts'
import { type TinyWorld, tinyWorld } from '../testing/tiny-world.ts'
import { gunzipped } from '../testing/torch-files.ts'

let world: TinyWorld
const at = (name: string) => join(world.root, name)

beforeAll(async () => {
  world = await tinyWorld(4)
  await mkdir(at('openai'))
  const write = (file: string, fixture: string) =>
    writeFile(at(file), gunzipped(new URL(`../${fixture}.gz`, import.meta.url)))
  await write('openai/ViT-tiny.pt', 'formats/torch-file/fixtures/openai-vit.pt')
  await write('not-a-clip.pt', 'formats/torch-file/fixtures/tensors.pt')
  for (const [file, text] of tokenizerFiles(tinyTables, { contextLength: 16 }))
    await writeFile(at(`openai/${file}`), text)
  const official = at('log/nctx4_cscTrue_ctpmiddle/seed1/prompt_learner')
  await mkdir(official, { recursive: true })
  await write(
    'log/nctx4_cscTrue_ctpmiddle/seed1/prompt_learner/model.pth.tar-50',
    'prompt/fixtures/official/csc-middle.pth.tar',
  )
  await write('unified.pth.tar', 'prompt/fixtures/official/unified-end.pth.tar')
  await write('cocoop.pth.tar', 'prompt/fixtures/official/cocoop.pth.tar')
  await writeFile(at('names.txt'), 'blue\ngreen\nred\n')
  await writeFile(at('names.json'), '["small_house", "cat", "dog", "toilet_paper"]')
})
afterAll(() => world.remove())

const importing = (file: string, out: string, ...more: readonly string[]) =>
  coop('import', at(file), '--model', at('openai/ViT-tiny.pt'), '--out', at(out), '--json', ...more)

describe('coop-ts models', () => {
  it('lists what is known', async () => {
    const { stdout, status } = await coop('models')
    expect(status).toBe(0)
    expect(stdout).toMatch(/timm\/resnet50_clip\.openai +RN50\.pt +RN50 +OpenAI +408 +11\.6 +48\.10 +59\.82 +224\n/)
    expect(stdout).toMatch(
      /laion\/CLIP-ViT-B-32-256x256-DataComp-s34B-b86K +fast +ViT-B\/32@256px +LAION +MIT +605 +11\.5 +60\.87 +72\.81 +256\n/,
    )
    expect(stdout).toMatch(
      /apple\/DFN2B-CLIP-ViT-L-14 +ViT-L\/14 +Apple +Apple's own +1710 +162\.0 +66\.87 +81\.41 +224\n/,
    )
    expect(stdout).toMatch(
      /facebook\/metaclip-b16-fullcc2\.5b +ViT-B\/16 +Meta +CC BY-NC 4\.0 +598 +35\.1 +60\.41 +72\.12 +224\n/,
    )
    expect(stdout).toMatch(/\nbundled .* 64\n\nMB: /)
    const { models } = Object.assign({ models: [] }, onlyJson(await coop('models', '--json')))
    expect(models).toHaveLength(26)
    expect(models).toContainEqual(
      expect.objectContaining({
        id: 'laion/CLIP-ViT-B-16-DataComp.XL-s13B-b90K',
        word: 'good',
        licence: 'MIT',
        megabytes: 598,
        gflop: 35.13,
        scores: { mean38: 0.6147, imageNet: 0.7349 },
      }),
    )
  })

  it('says what a model is', async () => {
    expect(onlyJson(await coop('models', at('openai/ViT-tiny.pt'), '--json'))).toMatchObject({
      layout: 'OpenAI',
      precision: ['float16', 'float32'],
      embedDim: 24,
      imageSize: 16,
      activation: 'quick_gelu',
      release: 'other',
    })
    expect((await coop('models', world.model)).stdout).toMatch(
      /architecture +with sizes of its own\nlayout +OpenCLIP\n[\s\S]*\npictures +short side to 8, middle of 8 x 8, mean 0\.5 0\.5 0\.5, deviation 0\.25/,
    )
    expect(onlyJson(await coop('models', 'bundled', '--json'))).toMatchObject({ name: 'bundled', embedDim: 128 })
  })

  it('or what is wrong', async () => {
    expectFailure(
      await coop('models', at('not-a-clip.pt'), '--json'),
      1,
      /not-a-clip\.pt is not one of OpenAI's CLIP files/,
    )
    expectFailure(
      await coop('models', at('unified.pth.tar'), '--json'),
      1,
      /learned prompt of the official CoOp code, not a CLIP/,
    )
    expectFailure(await coop('models', at('nowhere'), '--json'), 1, /no such folder or file/)
    expectFailure(await coop('models', 'bset', '--json'), 1, /the model bset: .*not a hub id.*\(did you mean best\?\)/)
    expectFailure(await coop('models', 'rn50x4', '--json'), 1, /\(did you mean timm\/resnet50x4_clip\.openai\?\)/)
  })
})

describe('coop-ts import', () => {
  it('makes a run that evaluates and classifies', async () => {
    const imported = await importing('unified.pth.tar', 'run', '--position', 'end', '--classes', at('names.txt'))
    expect(onlyJson(imported)).toMatchObject({
      M: 3,
      names: 'transferred',
      epoch: 50,
      classNames: ['blue', 'green', 'red'],
    })
    const evaluated = await coop('evaluate', at('run'), world.photos, '--cache', at('cache'), '--json')
    expect(onlyJson(evaluated)).toMatchObject({ accuracy: expect.any(Number), transforms: '2021-10' })
    const classified = await coop(
      'classify',
      at('run'),
      join(world.photos, 'red/0.png'),
      '--json',
      '--cache',
      at('cache'),
    )
    expect(onlyJson(classified)).toMatchObject({ images: [{ labels: [{}, {}, {}] }] })
    expectFailure(await importing('unified.pth.tar', 'run', '--position', 'end'), 2, /there is already a run in/)
  })

  it('takes position, class names and their order from the file', async () => {
    const file = 'log/nctx4_cscTrue_ctpmiddle/seed1/prompt_learner/model.pth.tar-50'
    expect(onlyJson(await importing(file, 'csc', '--classes', at('names.json')))).toMatchObject({
      position: 'middle',
      classSpecific: true,
      names: 'verified',
      classNames: ['dog', 'cat', 'toilet_paper', 'small_house'],
    })
    const { stdout } = await coop(
      'import',
      at(file),
      '--model',
      at('openai/ViT-tiny.pt'),
      '--out',
      at('csc'),
      '--force',
    )
    expect(stdout).toMatch(
      /4 context vectors for each class, class name in the middle, of epoch 50\n4 classes \(names read/,
    )
  })

  it('is measured on the data set of its names, whose spelling may differ', async () => {
    for (const [c, name] of ['DOG', 'Cat', 'Toilet_Paper', 'small_house'].entries())
      for (const part of ['train', 'test'])
        await cp(join(world.photos, ['blue', 'green', 'red', 'red'][c] ?? ''), at(`own/${part}/${name}`), {
          recursive: true,
        })
    expect((await importing('unified.pth.tar', 'named', '--position', 'end')).status).toBe(0)
    const evaluated = await coop('evaluate', at('named'), at('own'), '--cache', at('cache'), '--json')
    const share = expect.any(Number)
    expect(onlyJson(evaluated)).toMatchObject({
      perClass: { dog: share, cat: share, 'toilet paper': share, 'small house': share },
    })
    expect(
      onlyJson(await importing('unified.pth.tar', 'data', '--position', 'end', '--data', at('own'))),
    ).toMatchObject({
      names: 'verified',
      classNames: ['DOG', 'Cat', 'Toilet_Paper', 'small_house'],
    })
  })

  it('says what is wrong, before anything is written', async () => {
    expectFailure(await importing('unified.pth.tar', 'x'), 2, /does not say where the class name goes/)
    expectFailure(await importing('cocoop.pth.tar', 'x', '--position', 'end'), 1, /is a CoCoOp prompt/)
    expectFailure(
      await importing('openai/ViT-tiny.pt', 'x', '--position', 'end'),
      1,
      /not contain a dictionary of tensors|is a CLIP/,
    )
    expectFailure(await importing('log', 'x', '--position', 'end'), 1, /log is a folder/)
    expectFailure(await importing('nowhere.pth', 'x', '--position', 'end'), 1, /nowhere\.pth: no such file/)
    expectFailure(
      await coop(
        'import',
        at('unified.pth.tar'),
        '--model',
        world.model,
        '--position',
        'end',
        '--out',
        at('x'),
        '--json',
      ),
      1,
      /learned with another model: its vectors have 128 values, the words of this model have 12/,
    )
    expectFailure(await coop('import', at('unified.pth.tar'), '--json'), 2, /--model expects .*, and was not given/)
    await writeFile(at('log/checkpoint'), 'model.pth.tar-50\n')
    expectFailure(
      await importing('log/checkpoint', 'x', '--position', 'end'),
      1,
      /is a text file with the name of a checkpoint, "model\.pth\.tar-50"/,
    )
    expectFailure(
      await importing(
        'unified.pth.tar',
        'x',
        '--position',
        'end',
        '--classes',
        at('names.txt'),
        '--data',
        'caltech101',
      ),
      2,
      /class names are given twice/,
    )
  })
})
