namespace Gradus.Cli.Stages;

/// <summary>What a stage has to tell about itself.</summary>
/// <param name="Folder">The folder of its run.</param>
/// <param name="Facts">Label and value of what a reader wants to know first.</param>
/// <param name="Finished">False where the stage was asked to stop before its end.</param>
/// <param name="Failed">True where it came to its end but did not do, or did not find, what was asked for.</param>
internal sealed record StageResult(string Folder, IReadOnlyList<(string Label, string Value)> Facts, bool Finished = true, bool Failed = false);
