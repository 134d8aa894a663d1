import { loadClip } from 'coop-ts'
import { filesDataset, openRun, train, urlModel, webRuntime } from 'coop-ts/web'

const element = (id) => document.getElementById(id)
const say = (text) => {
  element('said').textContent = text
}
const model = loadClip(urlModel('model/'))
const runtime = webRuntime()
let run

async function learn() {
  const classes = [0, 1].map((i) => ({ name: element(`name-${i}`).value, files: [...element(`files-${i}`).files] }))
  const options = { model: await model, runtime: await runtime }
  const learned = await train(
    await filesDataset(classes),
    { ...options, settings: { recipe: 'fast' } },
    {
      onProgress: ({ kind, done, total }) => say(`${kind}: ${done} of ${total}`),
      onWarning: console.warn,
    },
  )
  const percent = (share) => (share === null ? 'not measured' : `${Math.round(100 * share)} %`)
  await run?.dispose()
  run = await openRun(learned.files, options)
  element('try').disabled = false
  say(`hand-written prompts: ${percent(learned.zeroShot)}, learned: ${percent(learned.accuracy)} (${learned.note})`)
}

async function tryPicture() {
  const [labels] = await run.classify([...element('try').files])
  say(labels.map(({ label, probability }) => `${label} ${Math.round(100 * probability)} %`).join(', '))
}

/** What went wrong, and what to do about it. */
const orSay = (work) => () => work().catch((error) => say([error.message, error.remedy].filter(Boolean).join(': ')))
element('learn').addEventListener('click', orSay(learn))
element('try').addEventListener('change', orSay(tryPicture))
