import Engine
import Metrics

/// The context of a run's work: its options, its log, and the ranks that share the work.
///
/// The first rank writes.
struct RunContext {
  var configuration: RunConfiguration
  let log: RunLog
  let communicator: any Communicator
  /// The file with the candidates of retrieval, in place of the subtitle store's.
  var vid2durIdx: String?
  /// The data that METEOR scores captions with; nil compares only words and stems.
  var meteor: MeteorResources?
  /// The stores that the run's tasks and splits read.
  var stores = OpenedStores()
  /// Whether this is a task of a run of several that is never drawn.
  var isMeasuredOnly = false

  /// Whether anything is trained; otherwise no store to train on is read.
  var isTrained: Bool { !isMeasuredOnly && configuration.trainSteps > 0 }

  /// Makes the suite that trains and measures the task, with the options decoded.
  /// - Throws: `DataError` for options that do not fit together.
  func suite() throws -> any TaskSuite {
    try configuration.checkChannels()
    configuration.use.begin()
    return try configuration.family.suite.init(run: self)
  }

  /// Logs which of several are never drawn.
  func tellUndrawn(_ names: [String]) {
    guard !names.isEmpty else { return }
    log.info(
      "measured and not trained, since their ratio is 0: \(names.joined(separator: ", ")); what they would train on is "
        + "not read")
  }

  /// Logs which options change nothing.
  func tellIdle(_ options: [IdleOption]) {
    guard !options.isEmpty else { return }
    log.info(
      "options without effect here: " + options.map { "\($0.name) (\($0.reason))" }.joined(separator: "; "))
  }

  /// Warns of given options that nothing has read, except those that are known to be idle.
  func tellUnread() {
    let unread = configuration.use.given.subtracting(configuration.use.read)
      .subtracting(configuration.idleNames)
    let options = RunOptions.used(by: configuration.family).map(\.name).filter(unread.contains)
    guard !options.isEmpty else { return }
    log.warning("options that had no effect: \(options.joined(separator: ", "))")
  }
}
