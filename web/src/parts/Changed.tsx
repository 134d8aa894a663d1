import { useSignal, useSignalEffect } from '@preact/signals'
import type { Context } from '../engine.ts'
import { countOf, percent, spread } from '../format.ts'
import { handMeasured, largest, learnedMeasured, type Measured, run } from '../state/prompts.ts'
import { shown } from '../state/trying.ts'

export function Changed() {
  const [byHand, learned] = [handMeasured.value, learnedMeasured.value]
  const both = byHand && learned && byHand.task === learned.task
  if (!run.value) return null
  return (
    <div class="changed">
      {both && <Disagreements byHand={byHand} learned={learned} />}
      {both && <Confusion byHand={byHand} learned={learned} />}
      <Words />
    </div>
  )
}

interface Pair {
  readonly byHand: Measured
  readonly learned: Measured
}

const FEW = 8

function Disagreements({ byHand, learned }: Pair) {
  const all = useSignal(false)
  const { test, classNames } = learned.task
  const differ = test.flatMap(({ picture, label }, i) => {
    const [then, now] = [largest(byHand.rows[i] ?? []), largest(learned.rows[i] ?? [])]
    return then === now ? [] : [{ picture, label, then, now }]
  })
  const won = differ.filter(({ label, now }) => now === label).length
  const lost = differ.filter(({ label, then }) => then === label).length
  return (
    <section class="panel" aria-labelledby="differ-title">
      <h2 id="differ-title">Where the two disagree</h2>
      <p class="about">
        {differ.length === 0
          ? 'On no held-out picture.'
          : `On ${differ.length} of ${countOf(test.length, 'held-out picture')}: ${won} put right by learning, ${lost} made wrong.`}
      </p>
      <ul class="differ">
        {spread(differ, all.value ? differ.length : FEW).map(({ picture, label, then, now }) => (
          <li key={picture.id}>
            <button
              type="button"
              onClick={() => (shown.value = picture)}
              aria-label={`Try ${picture.file.name}, a picture of ${classNames[label]}`}
            >
              <img src={picture.url} alt="" loading="lazy" />
            </button>
            <p>
              <span class={then === label ? 'hand right' : 'hand'}>{classNames[then]}</span>
              <span class={now === label ? 'learned right' : 'learned'}>{classNames[now]}</span>
            </p>
          </li>
        ))}
      </ul>
      {differ.length > FEW && !all.value && (
        <button type="button" class="quiet" onClick={() => (all.value = true)}>
          Show all {differ.length}
        </button>
      )}
    </section>
  )
}

function Confusion({ byHand, learned }: Pair) {
  const which = useSignal<'learned' | 'hand'>('learned')
  const { task, rows } = which.value === 'learned' ? learned : byHand
  const names = task.classNames
  const counts = names.map(() => names.map(() => 0))
  for (const [i, { label }] of task.test.entries()) {
    const row = counts[label]
    const answer = largest(rows[i] ?? [])
    if (row) row[answer] = (row[answer] ?? 0) + 1
  }
  const wide = names.length > 12
  return (
    <section class="panel" aria-labelledby="confusion-title">
      <h2 id="confusion-title">What is taken for what</h2>
      <fieldset class="switch">
        <legend class="hidden">Prompt of the confusion matrix</legend>
        <button type="button" aria-pressed={which.value === 'hand'} onClick={() => (which.value = 'hand')}>
          Hand-written
        </button>
        <button type="button" aria-pressed={which.value === 'learned'} onClick={() => (which.value = 'learned')}>
          Learned
        </button>
      </fieldset>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <section class="scroll" tabIndex={0} aria-label="Confusion matrix">
        <table class={`confusion ${which.value} ${wide ? 'many' : ''}`}>
          <caption>Rows: what it is. Columns: what the prompt says.</caption>
          <thead>
            <tr>
              <td />
              {names.map((name) => (
                <th key={name} scope="col">
                  <span>{name}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {counts.map((row, r) => {
              const all = row.reduce((a, b) => a + b, 0)
              return (
                <tr key={names[r]}>
                  <th scope="row">{names[r]}</th>
                  {row.map((count, c) => (
                    <td
                      key={names[c]}
                      class={r === c ? 'right' : 'wrong'}
                      style={{ '--share': all > 0 ? count / all : 0 }}
                      title={`${names[r]} taken for ${names[c]}: ${count} of ${all} (${percent(all > 0 ? count / all : 0)} %)`}
                    >
                      {count > 0 ? count : ''}
                    </td>
                  ))}
                </tr>
              )
            })}
          </tbody>
        </table>
      </section>
    </section>
  )
}

function Words() {
  const contexts = useSignal<readonly Context[] | undefined>(undefined)
  const which = useSignal(0)
  useSignalEffect(() => {
    const prompt = run.value?.prompt
    contexts.value = undefined
    which.value = 0
    void prompt?.contexts().then((found) => (contexts.value = found))
  })
  const all = contexts.value
  const context = all?.[which.value]
  return (
    <section class="panel words" aria-labelledby="words-title">
      <h2 id="words-title">The nearest words</h2>
      <p class="about">Of each learned vector, by distance. What a vector means need not be these words.</p>
      {all === undefined && <p class="hint">Looking them up …</p>}
      {all && all.length > 1 && (
        <label class="choice">
          <span>Vectors of</span>
          <select value={which.value} onChange={({ currentTarget }) => (which.value = Number(currentTarget.value))}>
            {all.map(({ className }, i) => (
              <option key={className} value={i}>
                {className}
              </option>
            ))}
          </select>
        </label>
      )}
      <ol>
        {context?.vectors.map(({ words }, i) => (
          <li key={i}>
            <strong>{words[0]?.word}</strong>
            <span>
              {words
                .slice(1)
                .map(({ word }) => word)
                .join(', ')}
            </span>
            <small>{words[0]?.distance.toFixed(2)}</small>
          </li>
        ))}
      </ol>
    </section>
  )
}
