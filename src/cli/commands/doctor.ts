import { countOf } from '../../base/count.ts'
import { tableText } from '../../report/text.ts'
import type { Examination } from '../../runs/doctor.ts'
import { defineCommand } from '../command.ts'
import { flags, text } from '../options.ts'
import { COMPUTING, model } from '../shared-options.ts'

export const doctor = defineCommand({
  name: 'doctor',
  summary: 'say what this machine can compute on, and where the operators run',
  details:
    'Tries each device, then runs both towers of the model and a step of every method on --device and counts, by the profile ' +
    'of ONNX Runtime, the operators that ran there, those that fell back to the CPU, and the copies between the two.',
  operands: [],
  examples: ['coop-ts doctor', 'coop-ts doctor --device webgpu'],
  options: {
    model,
    method: text('a method').optional().register(flags, {
      flag: '--method',
      argument: 'NAME',
      help: 'examine this method only',
      otherwise: 'all of them',
    }),
    ...COMPUTING,
  },
  async run(settings, _operands, hooks) {
    const { examine } = await import('../../runs/doctor.ts')
    const examination = await examine(settings, hooks)
    return { json: examination, text: textOf(examination) }
  },
})

function textOf({ environment, model, changed, devices, placed, crossings }: Examination): string {
  const { coop, onnxruntime, node, platform, cpu, threads, device } = environment
  const about = tableText({
    head: ['coop-ts', coop],
    rows: [
      ['ONNX Runtime', onnxruntime],
      ['Node', `${node}, ${platform}`],
      ['processor', `${cpu}, ${countOf(threads, 'thread')}`],
      ['models, samples', changed.length === 0 ? 'as published' : `not as published: ${changed.join(', ')}`],
      ...Object.entries(devices),
    ].map((cells) => ({ cells })),
    words: 2,
  })
  if (device === 'cpu') return `${about}\n\nEverything runs on the CPU: --device webgpu examines a graphics card.`
  const operators = tableText({
    head: [`${model} on ${device}`, 'operators there', 'on the CPU', 'copies'],
    rows: placed.map(({ what, onDevice, onCpu, crossings }) => ({
      cells: [what, String(onDevice), fallenText(onCpu), String(crossings)],
    })),
    words: 1,
  })
  return `${about}\n\n${operators}\n\n${countOf(crossings, 'copy', 'copies')} between ${device} and the CPU`
}

const fallenText = (onCpu: Readonly<Record<string, number>>) =>
  Object.entries(onCpu)
    .map(([op, times]) => `${times} ${op}`)
    .join(', ') || '0'
