import ArgumentParser
import Formats
import Training

/// `hero check`: reports what a file or folder is.
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Tell what files and folders are, whether they can be read, and which commands take them.",
    discussion: """
      Takes weights, folders of runs, stores, features, annotations, subtitles, configurations, tokenizers, indexes \
      and videos. Weights of HERO and RoBERTa are read as a whole, of other networks the names, of a store its lists. \
      The exit status is 1 where one of the paths is damaged or nothing that hero knows.

        hero check hero-tv-ht100.pt txt_db/tvr_val.db video_db/tv
      """)

  @Flag(help: "Print an object a path, one a line.")
  var json = false

  @Argument(help: ArgumentHelp("Files and folders.", valueName: "path"), completion: .file())
  var paths: [String]

  func run() throws {
    var isSound = true
    for path in paths {
      do {
        let report = try FileReport(path)
        print(json ? report.json.encoded(style: .python) : report.text)
      } catch {
        // An error in one path does not stop the others.
        isSound = false
        let told = error as? DataError ?? DataError("\(error)", file: path)
        if json {
          print(
            JSON.object(["path": .string(path), "error": .string(told.sentence)]).encoded(style: .python))
        }
        Console.standardError.print(told.description)
      }
    }
    guard isSound else { throw ExitCode(1) }
  }
}
