import { useComputed, useSignal } from '@preact/signals'
import type { ModelChoice } from '../engine.ts'
import { MAY_REACH_HUB } from '../hub.ts'
import { DEVICES, device, model, opening, openModel } from '../state/model.ts'
import { run } from '../state/prompts.ts'
import { HubDialog } from './HubDialog.tsx'

const DEVICE_NAMES = { auto: 'Automatic', cpu: 'CPU', webgpu: 'GPU (WebGPU)' }
const THEMES = ['auto', 'light', 'dark'] as const
type Theme = (typeof THEMES)[number]

export function Header() {
  const taken = useComputed(() => {
    // training may find out which device is faster
    void run.value
    return opening.value.state === 'open' ? opening.value.engine.device() : { short: '…', long: '' }
  }).value
  return (
    <header class="top">
      <p class="wordmark">
        <svg viewBox="0 0 22 22" aria-hidden="true">
          <path d="M2 9h3v11H2zM7 3h3v17H7zM12 12h3v8h-3z" fill="var(--learned)" />
          <path d="M17 16h4v4h-4z" fill="currentColor" />
        </svg>
        coop-ts <span>playground</span>
      </p>
      <div class="choices">
        <ModelLine />
        <label>
          <span>
            Computes on{' '}
            <em class="taken" title={taken.long}>
              {taken.short}
            </em>
          </span>
          <select
            data-testid="device"
            value={device.value}
            onChange={({ currentTarget }) => {
              device.value = DEVICES.find((name) => name === currentTarget.value) ?? 'auto'
              void openModel()
            }}
          >
            {DEVICES.map((name) => (
              <option key={name} value={name}>
                {DEVICE_NAMES[name]}
              </option>
            ))}
          </select>
        </label>
        <ThemeChoice />
      </div>
    </header>
  )
}

function ModelLine() {
  return (
    <div class="model">
      <span>Model</span>
      <p>
        <strong>{titleOf(model.value)}</strong>
        {MAY_REACH_HUB ? (
          <HubDialog />
        ) : (
          <a
            class="quiet button"
            href="./hub.html"
            title="Opens this page with the right to fetch models of the Hugging Face hub"
          >
            Another model
          </a>
        )}
      </p>
    </div>
  )
}

function titleOf(model: ModelChoice): string {
  if (model.from === 'page') return 'Small CLIP'
  return model.from === 'hub' ? model.id : `of ${model.name}`
}

function ThemeChoice() {
  const theme = useSignal<Theme>(chosenTheme())
  const next = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? 'auto'
  return (
    <button
      type="button"
      class="icon"
      title={`Colours: ${theme.value}`}
      aria-label={`Colours: ${theme.value}. Change to ${next}`}
      onClick={() => {
        theme.value = next
        setTheme(next)
      }}
    >
      <svg viewBox="0 0 20 20" aria-hidden="true">
        <circle cx="10" cy="10" r="7" fill="none" stroke="currentColor" stroke-width="1.6" />
        {theme.value !== 'light' && (
          <path
            d={theme.value === 'dark' ? 'M10 3a7 7 0 0 0 0 14a7 7 0 0 0 0 -14' : 'M10 3a7 7 0 0 1 0 14z'}
            fill="currentColor"
          />
        )}
      </svg>
    </button>
  )
}

const chosenTheme = (): Theme => THEMES.find((name) => name === document.documentElement.dataset.theme) ?? 'auto'

function setTheme(theme: Theme): void {
  if (theme === 'auto') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
  try {
    localStorage.setItem('theme', theme)
  } catch {
    // a browser that keeps nothing forgets the choice
  }
}
