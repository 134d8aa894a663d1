import { download } from '../download.ts'
import { countOf, percent } from '../format.ts'
import { openServed, servedRuns } from '../server.ts'
import { lack } from '../state/classes.ts'
import { curves, learn, learning, loadRun, stopLearning } from '../state/learning.ts'
import { model, opening, openModel, waiting } from '../state/model.ts'
import { messageOf, tellError } from '../state/notices.ts'
import { fits, handMeasured, learnedMeasured, run } from '../state/prompts.ts'
import { settings, task } from '../state/task.ts'
import { Chart } from './Chart.tsx'

export function Learn() {
  const now = learning.value
  const curve = now ?? curves.value
  const { test, train, classNames } = task.value
  const learned = now ? now.accuracies.at(-1)?.value : learnedMeasured.value?.accuracy
  const byHand = handMeasured.value?.accuracy
  const ready = opening.value.state === 'open' && lack.value === '' && waiting.value === 0
  return (
    <section id="learn" class="step learn" aria-labelledby="learn-title" tabIndex={-1}>
      <h2 id="learn-title">
        <span class="number">2</span> Learn
      </h2>
      <div class="score">
        <Figure testid="zero-shot-accuracy" title="Hand-written" share={byHand} kind="hand" />
        <Figure testid="learned-accuracy" title="Learned" share={learned} kind="learned" moving={now !== undefined} />
      </div>
      <p class="about">
        {test.length > 0
          ? `of ${countOf(test.length, 'held-out picture')} right; guessing: ${percent(1 / classNames.length)} %. Learned from ${countOf(train.length, 'other picture')}.`
          : 'Accuracy on pictures that were not learned from.'}
      </p>
      <div class="go">
        <button
          type="button"
          class="main"
          data-testid="train"
          disabled={!ready || now !== undefined}
          onClick={() => void learn()}
        >
          {now ? 'Learning …' : run.value && fits.value ? 'Train again' : 'Train'}
        </button>
        {now && (
          <button type="button" class="plain" onClick={stopLearning}>
            Stop
          </button>
        )}
        <p class="status" aria-live="polite">
          <Status />
        </p>
      </div>
      <div
        class="progress"
        role="progressbar"
        aria-label="Progress of learning"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(100 * (now?.share ?? 0))}
        hidden={!now}
      >
        <span style={{ transform: `scaleX(${now?.share ?? 0})` }} />
      </div>
      <Chart curve={curve} byHand={byHand} />
      <p class="loss">
        Loss <output data-testid="loss">{curve?.losses.at(-1)?.value.toFixed(3) ?? '–'}</output>
        {run.value?.seconds !== undefined && !now && (
          <span>
            {curve?.losses.length} steps, {run.value.seconds.toFixed(1)} s
          </span>
        )}
      </p>
      <Settings />
      <ServedRuns />
      <div class="row files">
        <button
          type="button"
          class="plain"
          data-testid="download"
          disabled={!run.value || now !== undefined}
          onClick={() => run.value && download(run.value.prompt.file, 'learned.safetensors')}
        >
          Download the prompt
        </button>
        <button
          type="button"
          class="quiet"
          data-testid="download-onnx"
          disabled={!run.value || now !== undefined}
          title="Image tower and learned classes in one file that any ONNX Runtime opens"
          onClick={() => {
            run.value?.prompt.onnx().then((file) => download(file, 'model.onnx'), tellError)
          }}
        >
          As ONNX
        </button>
        <label class="quiet button">
          Load one
          <input
            data-testid="load-run"
            type="file"
            accept=".safetensors"
            onChange={({ currentTarget }) => {
              const [file] = currentTarget.files ?? []
              if (file) void loadRun(file)
              currentTarget.value = ''
            }}
          />
        </label>
      </div>
    </section>
  )
}

/** Runs that `coop-ts serve` has. */
function ServedRuns() {
  if (servedRuns.value.length < 2) return null
  return (
    <label class="choice">
      <span>Runs of this server</span>
      <select
        onChange={({ currentTarget }) => {
          const chosen = servedRuns.value[currentTarget.selectedIndex]
          if (chosen) void openServed(chosen)
        }}
      >
        {servedRuns.value.map(({ name }) => (
          <option key={name}>{name}</option>
        ))}
      </select>
    </label>
  )
}

interface FigureProps {
  readonly testid: string
  readonly title: string
  readonly share?: number
  readonly kind: 'hand' | 'learned'
  readonly moving?: boolean
}

function Figure({ testid, title, share, kind, moving }: FigureProps) {
  const known = share !== undefined && !Number.isNaN(share)
  return (
    <div class={`figure ${kind} ${moving ? 'moving' : ''} ${known ? '' : 'unknown'}`}>
      <h3>{title}</h3>
      <output data-testid={testid}>
        {known ? percent(share) : '–'}
        {known && <small> %</small>}
      </output>
    </div>
  )
}

function Status() {
  const { value } = opening
  const now = learning.value
  if (value.state === 'failed')
    return (
      <>
        The model could not be opened: {messageOf(value.error)}{' '}
        <button type="button" class="link" onClick={() => void openModel()}>
          Try again
        </button>
        {model.value.from !== 'page' && (
          <button
            type="button"
            class="link"
            onClick={() => {
              model.value = { from: 'page' }
              void openModel()
            }}
          >
            Take the small CLIP
          </button>
        )}
      </>
    )
  if (value.state === 'opening') return <>{value.text} …</>
  if (now) {
    const steps = now.losses.length
    return <>{steps > 0 && steps < now.steps ? `Step ${steps} of ${now.steps}` : `${now.phase} …`}</>
  }
  if (lack.value) return <>{lack.value}</>
  if (run.value && !fits.value) return <>What was learned knows other classes: train for these.</>
  return null
}

function Settings() {
  const { template, recipe, shots, classSpecific, views, seed, testShare } = settings
  return (
    <details class="settings">
      <summary>Settings</summary>
      <div class="grid">
        <label class="wide">
          <span>Hand-written prompt</span>
          <input
            value={template.value}
            spellcheck={false}
            aria-invalid={!template.value.includes('{}')}
            onInput={({ currentTarget }) => (template.value = currentTarget.value)}
          />
        </label>
        <label>
          <span>Recipe</span>
          <select
            value={recipe.value}
            onChange={({ currentTarget }) => (recipe.value = currentTarget.value === 'paper' ? 'paper' : 'fast')}
          >
            <option value="fast">Fast: 100 steps</option>
            <option value="paper">The paper’s</option>
          </select>
        </label>
        <label>
          <span>Vectors</span>
          <select
            value={String(classSpecific.value)}
            onChange={({ currentTarget }) => (classSpecific.value = currentTarget.value === 'true')}
          >
            <option value="false">One set for all classes</option>
            <option value="true">A set for each class</option>
          </select>
        </label>
        <label>
          <span>Pictures a class</span>
          <select
            value={String(shots.value)}
            onChange={({ currentTarget }) => (shots.value = Number(currentTarget.value))}
          >
            {[0, 1, 2, 4, 8, 16].map((n) => (
              <option key={n} value={n}>
                {n === 0 ? 'All' : n}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span>Each picture</span>
          <select
            value={String(views.value)}
            onChange={({ currentTarget }) => {
              views.value = Number(currentTarget.value)
            }}
          >
            <option value="0">As it is</option>
            <option value="4">Four random crops</option>
          </select>
        </label>
        <label>
          <span>Held out</span>
          <select
            value={String(testShare.value)}
            onChange={({ currentTarget }) => (testShare.value = Number(currentTarget.value))}
          >
            {[0.2, 0.3, 0.5].map((share) => (
              <option key={share} value={share}>
                {100 * share} %
              </option>
            ))}
          </select>
        </label>
        <label>
          <span>Seed</span>
          <input
            type="number"
            min="0"
            max="9999"
            step="1"
            value={seed.value}
            onInput={({ currentTarget }) => (seed.value = Math.trunc(currentTarget.valueAsNumber) || 0)}
          />
        </label>
      </div>
    </details>
  )
}
