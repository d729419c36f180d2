import Corpus
import Engine
import Formats
import Foundation
import Metrics
import Model
import Tasks
import Text

/// The suite that describes clips and videos: TVC, YC2C, VATEX.
struct CaptionSuite: EvaluableSuite {

  static var modelParts: Set<ModelKeys.Part> { [.cross, .temporal, .decoder] }

  let run: RunContext

  func check(_ model: ModelConfiguration) throws {
    guard model.decoder != nil else {
      throw DataError(
        "has no \"d_config\"", file: configuration.modelConfiguration,
        cure: "Use Configs/hero_tvc.json or add a decoder")
    }
  }

  func trainingStores() throws -> [String] {
    let stores = configuration.trainCaptions.paths
    guard !stores.isEmpty else { throw configuration.missing(\.trainCaptions) }
    if let twice = Dataset.firstRepeated(stores) {
      throw DataError("names \(twice) twice", place: "key \"train_db\"", cure: "Give each store once")
    }
    return stores
  }

  var measuredStores: [String] {
    [configuration.valCaptions ?? configuration.valReferences, configuration.testCaptions].compactMap { $0 }
  }

  func open(toEvaluate store: String) throws -> VideoReader {
    let videos = try configuration.videoReader(of: run.stores, cls: cls(store))
    if let note = videos.cutNote { log.info(note) }
    return videos
  }

  /// Returns the id of `[CLS]`, which stands for the subtitles if only frames are read.
  ///
  /// A store to measure on or to train on has the id; a file of clips has none. Without a store,
  /// the tokenizer has it.
  private func cls(_ store: String) throws -> Int32 {
    let trained = configuration.trainCaptions.paths.first
    let folder = [store, trained].compactMap { $0 }.first { FileManager.default.isFolder($0) }
    if folder == nil, let tokenizer = configuration.tokenizer {
      return try TokenizerFolder.open(tokenizer).cls
    }
    return try StoreMeta(path: (folder ?? trained ?? store) + "/meta.json").cls
  }

  func learning(_ model: CaptionModel, _ videos: VideoReader) throws -> Learning {
    let mixture =
      try run.isTrained
      ? Mixture(source(model, videos)) : Mixture(untrained: configuration.task.rawValue, model.store)
    let splits = try validated(model, videos)
    return Learning(mixture: mixture) { try validate(splits, step: $0, results: $1) }
  }

  private func source(_ model: CaptionModel, _ videos: VideoReader) throws -> CaptionSource {
    let loader = try CaptionLoader(
      captions: try trainingStores().map { try opened($0) }, videos: videos,
      maxTextLength: configuration.maxTextLength, captionsPerVideo: configuration.maxCaptionsPerVideo,
      frameInterval: configuration.frameInterval, model: model.configuration, skips: SkipReport(log: log))
    return CaptionSource(
      name: configuration.task.rawValue, model: model, loader: loader,
      smoothing: Float(configuration.labelSmoothing))
  }

  /// - Throws: `DataError` for queries in place of clips, because their moments have no captions.
  private func opened(_ path: String) throws -> CaptionStore {
    let store = try run.stores.captions(path)
    guard !store.holdsQueries || configuration.task.annotation?.needsSubtitles != true else {
      throw DataError(
        "holds retrieval's queries, which caption whole videos, and \(configuration.task.rawValue) describes clips",
        file: path, cure: "Make a store of \(configuration.task.rawValue)'s annotation")
    }
    try configuration.task.require(store.meta, path: path)
    return store
  }

  // MARK: Validation

  /// The captioned clips of a split, and the generator of captions for them.
  private struct Captioned {
    let split: String
    let references: [CaptionRow]
    let generator: CaptionGenerator
  }

  private func validated(_ model: CaptionModel, _ videos: VideoReader) throws -> [Captioned] {
    try [
      ("val", configuration.valCaptions, configuration.valReferences),
      ("test", configuration.testCaptions, nil),
    ].compactMap { split, store, references in
      try (store ?? references).map {
        let captioned = try captioned(
          [(model, videos)], $0, split: split,
          references: store == nil ? nil : references.map { try rows($0) })
        try captioned.generator.requireUsable(captioned.references)
        return captioned
      }
    }
  }

  /// - Parameters:
  ///   - path: the path of a caption store, or of JSON lines with the clips and their captions.
  ///   - references: captions in place of the store's own.
  private func captioned(
    _ members: [CaptionGenerator.Member], _ path: String, split: String,
    references: [CaptionRow]? = nil
  ) throws -> Captioned {
    let store = references != nil || FileManager.default.isFolder(path) ? try opened(path) : nil
    if let references, let store { try requireSame(references, store, split: split) }
    let metas = [store?.meta].compactMap { $0 } + members.compactMap { $0.videos.subtitles?.meta }
    let tokenizer = try TokenizerFit.open(
      configuration.tokenizer, metas, members.map(\.model.configuration), named: "the model", log: log)
    let rows = try references ?? store?.rows(skips: SkipReport(log: log)) ?? self.rows(path)
    tellOddTimes(
      of: rows, file: references == nil ? path : configuration.valReferences ?? path, members[0].videos)
    return Captioned(
      split: split, references: rows, generator: generator(members, tokenizer, DecodingOptions()))
  }

  /// The seconds by which a clip may exceed its video's frames.
  ///
  /// Durations are rounded, and features end a frame early.
  private var looseSeconds: Double { 2 + 2 * configuration.frameInterval }

  /// Warns of clips whose captions are not of the clips themselves.
  ///
  /// Clips without times are described as whole videos. Clips that end after their video are
  /// described up to its end; their times may be in another unit than seconds.
  func tellOddTimes(of clips: [CaptionRow], file: String, _ videos: VideoReader) {
    let whole = clips.filter { $0.times == nil }
    if configuration.task.annotation?.needsSubtitles == true, let first = whole.first {
      log.warning(
        "\(file): \(whole.count) of \(clips.count) clips, the first \(first.clip), have no times (\"ts\"); the captions "
          + "are of their whole videos")
    }
    let late = clips.filter { clip in
      guard let end = clip.times?.last, let frames = videos.features.frameCount(of: clip.video) else {
        return false
      }
      return end > Double(frames) * configuration.frameInterval + looseSeconds
    }
    guard let first = late.first, let end = first.times?.last else { return }
    let seconds = Double(videos.features.frameCount(of: first.video) ?? 0) * configuration.frameInterval
    log.warning(
      "\(file): \(late.count) of \(clips.count) clips, the first \(first.clip), end after their video does (at \(end), "
        + "and the features of \(first.video) end at \(seconds) s); times are seconds. The captions are of what is there"
    )
  }

  private func rows(_ path: String) throws -> [CaptionRow] {
    try run.stores.clips(path, skips: SkipReport(log: log))
  }

  /// Warns if reference captions and a store are of different clips.
  /// - Throws: `DataError` if they have no clip in common.
  private func requireSame(_ references: [CaptionRow], _ store: CaptionStore, split: String) throws {
    guard !store.holdsQueries else { return }
    let (listed, stored) = (
      Set(references.map { Name($0.clip.text) }), Set(store.clipIDs.map { Name($0) })
    )
    let shared = listed.intersection(stored).count
    let (value, file) = (configuration.valReferences ?? "", store.path)
    guard shared > 0 else {
      throw DataError(
        "none of its \(stored.count) clips is among the \(listed.count) of \(value)", file: file,
        cure: "Give --val-db and --val-ref of one split")
    }
    guard shared < max(listed.count, stored.count) else { return }
    log.warning(
      "\(split): \(value) has \(listed.count) clips and \(file) \(stored.count), \(shared) of them the same; those of "
        + "\(value) are described")
  }

  private func validate(_ splits: [Captioned], step: Int, results: String) throws -> Validation {
    var result = Validation()
    for captioned in splits {
      let report = try report(captioned, title: "\(captioned.split), update \(step)")
      try report.write("\(results)/\(captioned.split)_captions_\(step).jsonl", communicator)
      result.add(report, of: captioned.split, group: group(of: captioned.split))
    }
    return result
  }

  // MARK: Evaluation

  func evaluate(
    _ members: [CaptionGenerator.Member], store: String, split: String
  ) throws -> SplitReport {
    try report(
      captioned(members, store, split: split), title: "\(configuration.task.rawValue), \(split)",
      meteor: run.meteor)
  }

  private func report(
    _ captioned: Captioned, title: String, meteor: MeteorResources? = nil
  ) throws -> SplitReport {
    let (rows, leftOut) = try Self.caption(captioned.references, captioned.generator, communicator)
    if leftOut > 0 {
      log.warning(
        "\(captioned.split): \(leftOut) of \(rows.count) clips could not be described; their captions are empty, and "
          + "the figures count them so")
    }
    var report = SplitReport { try CaptionRow.write(rows, to: $0) }
    // Clips of a hidden split have no captions to compare with.
    let known = captioned.references.indices.filter { !captioned.references[$0].captions.isEmpty }
    guard !known.isEmpty else { return report }
    if known.count < rows.count {
      log.warning(
        "\(captioned.split): the figures count \(known.count) of \(rows.count) clips; the others have no captions to "
          + "compare with")
    }
    let (described, references) = (known.map { rows[$0] }, known.map { captioned.references[$0] })
    let scores = try CaptionScorer(described, references: references, meteor: meteor)
    let videos = try configuration.task.videoScores(described, references, meteor: meteor, log: log)
    report.scalars = scores.corpus + (videos?.figures ?? [])
    report.table = MetricsTable(scores, videos, title: title)
    if let cider = scores.corpus.first(where: { $0.name == "CIDEr" }) {
      report.headline = (cider.name, cider.value, true)
      report.figure = .cider(cider.value)
    }
    return report
  }

  /// - Parameters:
  ///   - options: the options of the search for captions; lengths and batches are the run's.
  ///   - skips: reports what cannot be captioned; nil for the run's log.
  func generator(
    _ members: [CaptionGenerator.Member], _ tokenizer: Tokenizer, _ options: DecodingOptions,
    skips: SkipReport? = nil
  ) -> CaptionGenerator {
    var options = options
    options.maximumSteps = configuration.maxGenerationSteps
    return CaptionGenerator(
      members, tokenizer: tokenizer, options: options,
      frameInterval: configuration.frameInterval, videoBatch: configuration.valBatchSize,
      skips: skips ?? SkipReport(log: log))
  }

  static func caption(
    _ clips: [CaptionRow], _ generator: CaptionGenerator, _ communicator: any Communicator
  ) throws -> (rows: [CaptionRow], leftOut: Int) {
    try ProgressReporter.follow("Captioning", total: clips.count, unit: "clips") { progress in
      try generator.run(clips, among: communicator, progress: progress)
    }
  }
}

extension RunTask {
  /// Returns YouCook2's scores of videos; nil for other tasks.
  ///
  /// It is also nil, and the log says so, if the names do not tell the videos.
  func videoScores(
    _ rows: [CaptionRow], _ references: [CaptionRow], meteor: MeteorResources?, log: RunLog
  ) throws -> VideoCaptionScores? {
    guard annotation?.rawValue == "yc2c" else { return nil }
    let scores = try VideoCaptionScores(rows, references: references, meteor: meteor)
    if scores == nil {
      log.info("a video's name does not end in _NUMBER, so there are no macro and paragraph scores")
    }
    return scores
  }
}

extension MetricsTable {
  /// Makes a table of caption scores for people.
  /// - Parameter videos: the scores of whole videos, if there are any.
  public init(_ scores: CaptionScorer, _ videos: VideoCaptionScores? = nil, title: String) {
    self.init(title: title, headings: ["", "%"])
    for (name, value) in scores.corpus + (videos?.figures ?? []) { add(name, [value]) }
  }
}
