import Synchronization

/// The options that a run was given, and those that its work has read.
///
/// Copies of a configuration share this object. It does not affect whether configurations are
/// equal.
final class OptionUse: Equatable, Sendable {
  private let state = Mutex((given: Set<String>(), read: Set<String>()))

  /// The names of the options that a file or a flag gave.
  var given: Set<String> { state.withLock { $0.given } }
  /// The names of the options read since the work began.
  var read: Set<String> { state.withLock { $0.read } }

  func give(_ name: String) { state.withLock { _ = $0.given.insert(name) } }
  func note(_ name: String) { state.withLock { _ = $0.read.insert(name) } }
  /// Forgets what checks read before the work, because it has no effect on the work.
  func begin() { state.withLock { $0.read = [] } }

  static func == (_: OptionUse, _: OptionUse) -> Bool { true }
}
