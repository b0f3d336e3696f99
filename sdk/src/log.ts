// What the SDK says on the console, and how much of it.

/** How much to log. `report` and `disable` both log nothing: this SDK reports to nobody. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "report" | "disable";

/** The log options of the contract; those for remote logs are accepted and have no effect here. */
export interface ZegoLogConfig {
  /** @default "warn" */
  logLevel?: LogLevel;
  remoteLogLevel?: "debug" | "info" | "warn" | "error" | "disable";
  logURL?: string;
  logCount?: number;
  logSize?: number;
}

const ranks: Record<LogLevel, number> = {
  debug: 0,
  info: 1,
  warn: 2,
  error: 3,
  report: 4,
  disable: 4,
};

/**
 * Writes to the console what is at or above its level. Tokens and resume secrets are never given to
 * it.
 */
export class Log {
  /** What is below is not written. */
  level: LogLevel = "warn";

  /** Sets the level; false when the configuration names an unknown one. */
  configure(config: ZegoLogConfig): boolean {
    const level = config?.logLevel ?? this.level;
    if (!(level in ranks)) return false;
    this.level = level;
    return true;
  }

  debug(message: string): void {
    if (ranks[this.level] <= ranks.debug) console.debug(`[odeum] ${message}`);
  }

  info(message: string): void {
    if (ranks[this.level] <= ranks.info) console.info(`[odeum] ${message}`);
  }

  warn(message: string): void {
    if (ranks[this.level] <= ranks.warn) console.warn(`[odeum] ${message}`);
  }
}
