/// Where the work is done.
public enum Device {
  /// What `--device` takes.
  public static let names = ["auto", "cpu"]

  /// Opens a device by its name.
  /// - Parameter name: `cpu`, or `auto` for the fastest that this machine has.
  /// - Throws: `EngineError` for a name that nobody knows, or a device that this machine lacks.
  public static func open(_ name: String = "auto") throws -> any Backend {
    switch name {
    case "auto", "cpu": return try CPUBackend()
    default:
      throw EngineError("there is no device \"\(name)\"; --device takes \(names.joined(separator: " or "))")
    }
  }
}
