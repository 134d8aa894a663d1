import { useSignal, useSignalEffect } from '@preact/signals'
import { percent, spread } from '../format.ts'
import type { Picture } from '../state/classes.ts'
import { tellError } from '../state/notices.ts'
import { answersOf, classNames, fits, handWritten, isCalibrated, run } from '../state/prompts.ts'
import { task } from '../state/task.ts'
import { shown, tried, tryPictures } from '../state/trying.ts'
import { useDrop } from './drop.ts'
import { arrowKeys } from './keys.ts'
import { Webcam } from './Webcam.tsx'

const MOST_BARS = 7
const HELD_OUT = 18

export function Try() {
  const { over, handlers } = useDrop((found) => tryPictures(found.map(({ file }) => file)))
  const filming = useSignal(false)
  const picture = shown.value
  const truth = task.value.test.find((item) => item.picture === picture)
  const strip = spread(task.value.test, HELD_OUT)
  return (
    <section class={`step try ${over.value ? 'over' : ''}`} aria-labelledby="try-title" {...handlers}>
      <h2 id="try-title">
        <span class="number">3</span> Try
      </h2>
      <div class="stage">
        {picture && !(picture.look.value instanceof Error) ? (
          <figure>
            <img src={picture.url} alt={picture.file.name} />
            <figcaption>{truth ? `held out, ${task.value.classNames[truth.label]}` : picture.file.name}</figcaption>
          </figure>
        ) : (
          <p class="blank">{picture ? picture.file.name : 'Drop a picture here'}</p>
        )}
      </div>
      <div class="row">
        <label class="plain button">
          Try pictures
          <input
            data-testid="try-files"
            type="file"
            accept="image/*"
            multiple
            onChange={({ currentTarget }) => {
              tryPictures(Array.from(currentTarget.files ?? []))
              currentTarget.value = ''
            }}
          />
        </label>
        <button type="button" class="quiet" onClick={() => (filming.value = !filming.value)}>
          Camera
        </button>
      </div>
      {filming.value && <Webcam onPicture={(file) => tryPictures([file])} onClose={() => (filming.value = false)} />}
      {picture?.look.value instanceof Error ? (
        <p class="fault" role="alert">
          {picture.look.value.message}
        </p>
      ) : (
        <Bars picture={picture} truth={truth?.label} />
      )}
      {classNames.value.length > 0 && !isCalibrated.value && (
        <p class="hint">
          Bars rank the classes. How often the longest is right they do not say: this page calibrates nothing and leaves
          a folder _other out, so a picture of none of the classes gets one too.
        </p>
      )}
      {(tried.value.length > 0 || strip.length > 0) && (
        <ul class="strip" aria-label="Pictures to try" onKeyDown={arrowKeys}>
          {[...tried.value, ...strip.map((item) => item.picture)].map((one, i) => (
            <li key={one.id}>
              <button
                type="button"
                data-pick
                tabIndex={i === 0 ? 0 : -1}
                aria-pressed={one === picture}
                aria-label={`Try ${one.file.name}`}
                onClick={() => (shown.value = one)}
              >
                <img src={one.url} alt="" loading="lazy" />
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

interface Probabilities {
  readonly byHand?: readonly number[]
  readonly learned?: readonly number[]
}

function Bars({ picture, truth }: { readonly picture?: Picture; readonly truth?: number }) {
  const found = useSignal<Probabilities>({})
  const subject = useSignal(picture)
  subject.value = picture
  useSignalEffect(() => {
    const [one, names, prompt, learned] = [
      subject.value,
      classNames.value,
      handWritten.value,
      fits.value ? run.value?.prompt : undefined,
    ]
    const seen = one?.look.value === 'seen'
    if (!one || !seen || !prompt) {
      found.value = {}
      return
    }
    let over = false
    const ask = async () => {
      const [byHand] = await answersOf(prompt, names, [one])
      const [rows] = learned ? await answersOf(learned, names, [one]) : []
      if (!over) found.value = { byHand, learned: rows }
    }
    ask().catch(tellError)
    return () => {
      over = true
    }
  })
  const { byHand, learned } = found.value
  const names = classNames.value
  if (names.length === 0) return <p class="hint">The bars of both prompts appear here.</p>
  const rank = (c: number) => Math.max(learned?.[c] ?? 0, byHand?.[c] ?? 0)
  const order = names.map((_, c) => c).sort((a, b) => rank(b) - rank(a))
  return (
    <table class="bars">
      <caption class="hidden">What the hand-written and the learned prompt say about the picture</caption>
      <thead>
        <tr>
          <th scope="col" class="hand">
            by hand
          </th>
          <th scope="col" class="hidden-cell">
            <span class="hidden">class</span>
          </th>
          <th scope="col" class="learned">
            learned
          </th>
        </tr>
      </thead>
      <tbody>
        {order.slice(0, MOST_BARS).map((c) => (
          <tr key={names[c]} class={c === truth ? 'true' : ''}>
            <td class="hand">
              <Bar share={byHand?.[c]} />
            </td>
            <th scope="row">{names[c]}</th>
            <td class="learned">
              <Bar share={learned?.[c]} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function Bar({ share }: { readonly share?: number }) {
  return (
    <span class="bar-cell">
      <span class="track">
        <span class="fill" style={{ '--share': share ?? 0 }} />
      </span>
      <span class="value">{share === undefined ? '–' : percent(share)}</span>
    </span>
  )
}
