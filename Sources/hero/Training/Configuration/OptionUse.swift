import Synchronization

/// Which options a run was given, and which its work has read.
///
/// Copies of a configuration share it, and two configurations are the same whatever was read of
/// them.
final class OptionUse: Equatable, Sendable {
  private let state = Mutex((given: Set<String>(), read: Set<String>()))

  /// Names of options that a file or a flag gave.
  var given: Set<String> { state.withLock { $0.given } }
  /// Names of options that were read since the work began.
  var read: Set<String> { state.withLock { $0.read } }

  func give(_ name: String) { state.withLock { _ = $0.given.insert(name) } }
  func note(_ name: String) { state.withLock { _ = $0.read.insert(name) } }
  /// What checks have read before the work began has had no effect on it.
  func begin() { state.withLock { $0.read = [] } }

  static func == (_: OptionUse, _: OptionUse) -> Bool { true }
}
