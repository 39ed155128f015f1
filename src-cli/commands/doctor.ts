/** `selkie doctor`: versions, devices, room, and what is missing. */
import { Command } from 'commander'
import type { DoctorReport } from '../../src-shared/api/doctor.ts'
import { bytes } from '../format.ts'
import { jsonOption } from '../options.ts'

const examples = `
Examples:
  selkie doctor
  selkie doctor --json`

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('look at this machine: devices, versions, memory, disk, and what is missing')
    .addOption(jsonOption())
    .addHelpText('after', examples)
    .action(async (flags: { readonly json?: true }) => {
      const { runCommand } = await import('../run-command.ts')
      await runCommand(flags, ({ api }) => api.call('system.doctor', {}), describe)
    })
}

const marks = { ok: 'ok     ', note: 'note   ', missing: 'MISSING' } as const

function describe({ versions, platform, cpu, memory, disk, devices, checks }: DoctorReport): string {
  return [
    `Selkie ${versions.selkie}, Node ${versions.node}, llama.cpp ${versions.llamaCpp ?? 'not found'}`,
    `${platform.os} ${platform.release} ${platform.architecture}, ${cpu.model}, ${cpu.cores} cores`,
    `memory: ${bytes(memory.freeBytes)} free of ${bytes(memory.totalBytes)}; disk: ${bytes(disk.freeBytes)} free at ${disk.path}`,
    ...devices.map(
      ({ name, description, memoryFreeBytes, memoryTotalBytes }) =>
        `device ${name}: ${description}, ${bytes(memoryFreeBytes)} free of ${bytes(memoryTotalBytes)}`,
    ),
    ...checks.map(({ name, status, message }) => `${marks[status]} ${name}: ${message}`),
  ].join('\n')
}
