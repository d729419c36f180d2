import Engine
import Metrics

/// What a run's work is done by: its options, its log, and the ranks that the work is divided
/// among, the first of which writes.
struct RunContext {
  var configuration: RunConfiguration
  let log: RunLog
  let communicator: any Communicator
  /// The file with the candidates of retrieval, in place of the subtitle store's.
  var vid2durIdx: String?
  /// What METEOR scores captions with; nil for words and stems alone.
  var meteor: MeteorResources?
  /// What its tasks and splits read.
  var stores = OpenedStores()
  /// Whether it is a task of a run of several that is never drawn.
  var isMeasuredOnly = false

  /// Whether anything is trained; else no store to train on is read.
  var isTrained: Bool { !isMeasuredOnly && configuration.trainSteps > 0 }

  /// What trains and measures the task, its options decoded.
  /// - Throws: `DataError` for options that do not go together.
  func suite() throws -> any TaskSuite {
    try configuration.checkChannels()
    configuration.use.begin()
    return try configuration.family.suite.init(run: self)
  }

  /// Says which of several are never drawn.
  func tellUndrawn(_ names: [String]) {
    guard !names.isEmpty else { return }
    log.info(
      "measured and not trained, since their ratio is 0: \(names.joined(separator: ", ")); what they would train on is "
        + "not read")
  }

  /// Says once which options change nothing.
  func tellIdle(_ options: [IdleOption]) {
    guard !options.isEmpty else { return }
    log.info(
      "options without effect here: " + options.map { "\($0.name) (\($0.reason))" }.joined(separator: "; "))
  }

  /// Tells of options that were given and that nothing has read in the end, though nothing said
  /// that they are idle.
  func tellUnread() {
    let unread = configuration.use.given.subtracting(configuration.use.read)
      .subtracting(configuration.idleNames)
    let options = RunOptions.used(by: configuration.family).map(\.name).filter(unread.contains)
    guard !options.isEmpty else { return }
    log.warning("options that had no effect: \(options.joined(separator: ", "))")
  }
}
