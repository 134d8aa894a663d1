// The promises in a page: tests call window.contract.
import { add, Graph, program } from '../../graph/index.ts'
import { encodeTexts, floatTensor, loadClip } from '../../public/index.ts'
import * as web from '../../public/web.ts'
import { lora } from '../lora.ts'
import { bytesOfHex, type Platform, type Said, type Served, say } from './promises.ts'

async function bytesAt(address: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await (await fetch(address)).arrayBuffer())
}

async function contract(
  { model, pictures, ...data }: Served,
  device: 'cpu' | 'webgpu',
  methods?: readonly string[],
): Promise<Said> {
  const clip = await loadClip(web.urlModel(model, { keep: false }))
  const runtime = await web.webRuntime({ device })
  const dataset = { name: 'photos', ...data }
  const named = new Map<string, Uint8Array>()
  for (const address of pictures) named.set(address.split('/').at(-1) ?? '', await bytesAt(address))
  const options = { model: clip, runtime }
  const platform: Platform = {
    clip,
    runtime,
    pictures: named,
    decodeImage: web.decodeImage,
    train: (how) => web.train(dataset, { ...options, ...how, seed: 1, modelName: 'tiny' }),
    openRun: (files) => web.openRun(files, { ...options, methods: [lora] }),
    evaluateRun: (files) => web.evaluateRun(files, dataset, { ...options, methods: [lora] }),
    wrong: {
      'not a picture': () => web.decodeImage(new TextEncoder().encode('no picture'), 'note.txt'),
      'an empty file': () => web.decodeImage(new Uint8Array(), 'empty.png'),
      'a PNG cut short': () => web.decodeImage((named.get('grey.png') ?? new Uint8Array()).slice(0, 60), 'cut.png'),
      'a JPEG cut short': () => web.decodeImage((named.get('photo.jpg') ?? new Uint8Array()).slice(0, -40), 'cut.jpg'),
      'no such method': () => web.train(dataset, { ...options, method: 'cop' }),
      'a wrong setting': () => web.train(dataset, { ...options, settings: { epochs: -1 } }),
      'no such option': () => Reflect.apply(web.train, undefined, [dataset, { ...options, epoch: 3 }]),
      'shots of nothing': () => web.train(dataset, { ...options, shots: 0 }),
      'a run that is none': () => web.openRun(new Uint8Array([1, 2, 3]), options),
      'a thread too few': () => web.webRuntime({ threads: 0 }),
    },
  }
  return say(platform, methods).finally(() => runtime.close())
}

/** What a run of Node says of pictures: the probability of each class. */
async function asked(model: string, learned: string, pictures: readonly string[]): Promise<number[][]> {
  const opened = await web.openRun(bytesOfHex(learned), { model: web.urlModel(model, { keep: false }), device: 'cpu' })
  const answers = await opened.classify(await Promise.all(pictures.map(bytesAt)))
  await opened.dispose()
  return answers.map((labels) =>
    opened.classNames.map((name) => labels.find(({ label }) => label === name)?.probability ?? Number.NaN),
  )
}

/** A program without inputs. */
function probe() {
  const graph = new Graph()
  const x = graph.weight('x', floatTensor([2], Float32Array.of(1, 2)))
  return program(graph, { y: add(x, x) })
}

Object.assign(window, { contract, asked, probe, web, loadClip, encodeTexts })
