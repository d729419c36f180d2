/// Where the work is done.
public enum Device {
  /// What `--device` takes.
  public static let names = ["auto", "cpu"]

  /// Opens a device by its name.
  /// - Parameters:
  ///   - name: `cpu`, or `auto` for the fastest that this machine has.
  ///   - precision: how exactly it computes.
  ///   - threads: of a processor; by default the environment's or all that this process may use.
  /// - Throws: `EngineError` for a name that nobody knows, a device that this machine lacks, or a precision that the
  ///   device does not have.
  public static func open(_ name: String = "auto", precision: Precision = .fp32, threads: Int? = nil) throws
    -> any Backend
  {
    switch name {
    case "auto", "cpu":
      guard precision == .fp32 else {
        throw EngineError("the CPU computes in fp32 only, not in \(precision.rawValue)")
      }
      return try CPUBackend(threads: threads)
    default:
      throw EngineError("there is no device \"\(name)\"; --device takes \(names.joined(separator: " or "))")
    }
  }
}
