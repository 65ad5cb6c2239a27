namespace Gradus.Applications.Retrieval.Documents;

/// <summary>Text without a format.</summary>
public sealed class PlainTextReader : DocumentReader
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> Extensions { get; } = [".txt", ".text", ".log"];

    /// <inheritdoc/>
    public override SourceDocument Read(ReadOnlyMemory<byte> bytes, string name, ReadingLimits limits) => Plain(Decode(bytes, limits, out IReadOnlyList<string> remarks), remarks);
}
