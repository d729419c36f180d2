import Foundation
import Text

extension Target {
  /// The tokenizer in the folder that `HERO_FUZZ_TOKENIZER` names.
  package static let tokenizer: Tokenizer = {
    let folder = ProcessInfo.processInfo.environment["HERO_FUZZ_TOKENIZER"] ?? ""
    do {
      return try Tokenizer(directory: folder)
    } catch {
      fatalError("\(error)")
    }
  }()
}
