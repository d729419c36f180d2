/// Makes a demo corpus as the folder `path` and says what is in it: all the work of a command.
///
/// Throws a `DataError` for options that make no corpus, for a folder that is not empty, and for a
/// full disk.
@discardableResult
public func makeDemoCorpus(
  at path: String, options: DemoOptions = DemoOptions(), say: (String) -> Void
) throws -> DemoCorpus {
  let corpus = try DemoCorpus(options)
  try corpus.write(to: path)
  say("\(path): \(corpus.summary)")
  return corpus
}

extension DemoCorpus {
  /// The size of the corpus, in one line.
  public var summary: String {
    let frames = scenarios.reduce(0) { $0 + $1.frameCount }
    let splits = DemoSplit.allCases.map { "\(options.videos(in: $0)) \($0.rawValue)" }
    return "\(scenarios.count) videos (\(splits.joined(separator: ", "))), "
      + "\(scenarios.count * options.queriesPerVideo) queries a task, "
      + "\(frames) frames of \(options.appearanceWidth) + \(options.motionWidth) features"
  }
}
