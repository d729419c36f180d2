import Formats
import Foundation
import TestSupport
import Testing

@testable import Training

/// The configurations in `Configs`, from which users start.
struct ShippedConfigurationTests {
  private static let files: [String] = {
    let folder = SharedData.repository.appendingPathComponent("Configs").path
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.filter { $0.hasSuffix(".json") && !$0.hasPrefix("hero_") }.sorted().map { "\(folder)/\($0)" }
  }()

  @Test func everyTaskHasOne() throws {
    let tasks = try Self.files.map { file in
      try RunConfiguration.load(
        task: file.contains("/pretrain-") ? .pretrain : nil, file: file, arguments: []
      ).configuration.task
    }
    #expect(Set(tasks) == Set(RunTask.allCases))
  }

  @Test(arguments: files)
  func itLoadsWithoutComplaint(file: String) throws {
    let isPretraining = file.contains("/pretrain-")
    let (run, warnings) = try RunConfiguration.load(
      task: isPretraining ? .pretrain : nil, file: file, arguments: [])
    #expect(warnings.isEmpty)
    let model = try #require(run.modelConfiguration)
    let path = SharedData.repository.appendingPathComponent(model).path
    #expect(try JSON.read(path: path)["f_config"] != nil)
    // A key that the task does not use would mislead.
    let keys = RunOptions.used(by: run.family).map(\.name)
    let object = try #require(try JSON.read(path: file).object)
    for (key, _) in object where key != "task" { #expect(keys.contains(key), "\(key)") }
  }
}
