import ArgumentParser
import Formats
import Foundation
import Search
import Serve
import Synchronization
import Training

/// `hero serve`: serves a page for searching and playing videos.
struct ServeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Search and play indexed videos in a browser.",
    discussion: """
      The page needs no network. It is for this machine only unless --host says otherwise; nothing but the files that the index \
      names is served, and whoever can reach the port can see those. With --annotations it also shows a split's queries beside \
      what was found for them, the worst first.

        hero serve --index tv.index
        hero serve --index tv.index --annotations tvr_val_release.jsonl --port 9000

      With runs of TVC and TVQA the player describes moments and answers questions. Their models read the videos' features, \
      which the index does not hold: from --vfeat-db and --sub-txt-db, else from what 'hero index --videos' left beside the \
      index, else from the run's own stores.

        hero serve --index tv.index --caption-model-dir runs/tvc \\
          --qa-model-dir runs/tvqa --vfeat-db video_db/tv \\
          --sub-txt-db txt_db/tv_subtitles.db
      """)

  @OptionGroup var search: SearchArguments

  @Option(help: "The port to listen on; 0 for any that is free.")
  var port = 8080

  @Option(help: ArgumentHelp("The address to listen at.", valueName: "address"))
  var host = "127.0.0.1"

  @Option(folder: "A captioning run's folder: describes moments.")
  var captionModelDir: String?

  @Option(folder: "A tvqa or how2qa run's folder: answers questions.")
  var qaModelDir: String?

  @Option(folder: "Feature store of the videos, for these two.")
  var vfeatDb: String?

  @Option(folder: "Subtitle store of the videos, for these two.")
  var subTxtDb: String?

  @OptionGroup var decoding: DecodingArguments

  @Option(file: "JSON lines or the query store of a split to browse.")
  var annotations: String?

  @Argument(
    parsing: .allUnrecognized,
    help: ArgumentHelp("Options that override the saved ones, such as --nms-thd.", valueName: "options"))
  var overrides: [String] = []

  func run() throws {
    InterruptHandler.install()
    signal(SIGPIPE, SIG_IGN)
    guard let port = UInt16(exactly: port) else {
      throw UsageError("--port \(port) is no port; they go from 0, for any that is free, to 65535")
    }
    let log = RunLog()
    // Bound first, so that a port in use is reported before the index is opened for minutes. Until
    // then clients are told to wait.
    let isLoopback = WebServer.isLoopback(host)
    let site = OpeningSite()
    let server = try WebServer(host: host, port: port, handler: site)
    if !isLoopback {
      log.warning("everybody who can reach \(host):\(port) can search and play the videos of this index")
    }
    let serving = Serving(server)
    let searcher = try search.open(try RunArguments(overrides), log: log)
    let trained = searcher as? MomentSearcher
    if trained == nil {
      try FlagConflicts.refuse(
        [
          "--annotations": annotations != nil, "--caption-model-dir": captionModelDir != nil,
          "--qa-model-dir": qaModelDir != nil, "--vfeat-db": vfeatDb != nil, "--sub-txt-db": subTxtDb != nil,
        ], "\(search.index) was made with CLIP, and they need a trained run's index")
    }
    let models = try trained.flatMap { try self.models(of: $0, log: log) }
    var split: SplitAnswers?
    if let annotations, let trained {
      let queries = try SplitQueries(
        path: annotations, index: trained.index, model: trained.model, log: log)
      if queries.skipped > 0 {
        log.warning("\(queries.skipped) rows of \(annotations) cannot be asked about a video of the index")
      }
      split = SplitAnswers(queries)
    }
    site.open(SearchSite(searcher: searcher, models: models, split: split, isLoopback: isLoopback))
    log.info("\(searcher.index.count) videos, \(searcher.index.rows) frames; open \(server.address)")
    if let split, let trained {
      let thread = Thread {
        do {
          try split.run(searcher: trained) { InterruptHandler.isInterrupted }
        } catch {
          log.error("the split's queries could not be answered: \(error)")
        }
      }
      thread.stackSize = 4 << 20
      thread.start()
    }
    try serving.wait()
  }

  /// Opens the models that describe moments and answer questions, on the searching model's device.
  ///
  /// Returns nil without flags for them.
  private func models(of searcher: MomentSearcher, log: RunLog) throws -> VideoModels? {
    let options = try decoding.options()
    if captionModelDir == nil {
      try FlagConflicts.refuse(
        ["--beam": decoding.beam != 1, "--length-penalty": decoding.lengthPenalty != 1.0],
        "captions need --caption-model-dir")
    }
    guard captionModelDir != nil || qaModelDir != nil else {
      try FlagConflicts.refuse(
        ["--vfeat-db": vfeatDb != nil, "--sub-txt-db": subTxtDb != nil],
        "an index holds what is searched; they are for --caption-model-dir and --qa-model-dir")
      return nil
    }
    let arguments = try IndexWork(index: search.index).arguments(features: vfeatDb, subtitles: subTxtDb)
    let tokenizer = searcher.model.tokenizerFolder
    let backend = searcher.model.model.store.backend
    let stores = OpenedStores()
    let models = VideoModels(
      searcher: searcher,
      captioning: try captionModelDir.map {
        let run = try SavedRun(
          path: $0, usual: .tvc, arguments, for: .description, log: log, stores: stores)
        return try OpenedCaptioning(run, tokenizer: tokenizer, options, backend: backend)
      },
      answering: try qaModelDir.map {
        let run = try SavedRun(
          path: $0, usual: .tvqa, arguments, for: .description, log: log, stores: stores)
        return try OpenedAnswering(run, tokenizer: tokenizer, backend: backend)
      })
    let missing = try models.missing()
    if missing > 0 {
      log.warning(
        "the stores lack \(missing) of the index's \(searcher.index.count) videos, of which models cannot tell"
      )
    }
    return models
  }

  /// A server that runs until a signal arrives.
  private final class Serving: Sendable {
    private let outcome = Mutex<(any Error)?>(nil)
    private let done = DispatchSemaphore(value: 0)
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(_ server: WebServer) {
      let running = Task {
        do { try await server.run() } catch { outcome.withLock { $0 = error } }
        done.signal()
      }
      task.withLock { $0 = running }
    }

    func wait() throws {
      while done.wait(timeout: .now() + .milliseconds(200)) == .timedOut {
        if InterruptHandler.isInterrupted { task.withLock { $0?.cancel() } }
      }
      try InterruptHandler.check()
      if let error = outcome.withLock({ $0 }) { throw error }
    }
  }
}
