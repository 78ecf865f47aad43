/** What the API answers, as this client reads it. */
import type {
  ClusterView,
  CommandResult,
  CommandView,
  ConfigReport,
  LogEntry,
  ModuleState,
  ModuleView as CoreModuleView,
} from '@holdfast/sdk'

/** `stable`: nothing more will happen by itself. The node says so, not this client. */
export type StateView = ModuleState & { readonly stable: boolean }
export type ModuleView = Omit<CoreModuleView, 'state'> & { readonly state: StateView | undefined }
export interface ModulesAnswer {
  readonly modules: readonly ModuleView[]
}
export interface CommandsAnswer {
  readonly commands: readonly CommandView[]
}
export interface LogAnswer {
  readonly entries: readonly LogEntry[]
}
export interface WaitAnswer {
  readonly reached: boolean
  readonly state: StateView | undefined
}
export type { ClusterView, CommandResult, CommandView, ConfigReport, LogEntry }
