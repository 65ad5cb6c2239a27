using Gradus.Applications.Retrieval.Chunking;
using Gradus.Applications.Retrieval.Documents;
using Gradus.Applications.Retrieval.Indexing;

namespace Gradus.Applications.Tests.Retrieval;

/// <summary>A folder of documents and an index beside it, gone when the test is.</summary>
internal sealed class RetrievalFolder : IDisposable
{
    public RetrievalFolder() => Directory.CreateDirectory(Documents);

    public string Root { get; } = Path.Combine(Path.GetTempPath(), $"gradus-rag-{Guid.NewGuid():n}");

    public string Documents => Path.Combine(Root, "docs");

    public string IndexPath => Path.Combine(Root, "index.db");

    public void Write(string name, string text) => Write(name, System.Text.Encoding.UTF8.GetBytes(text));

    public void Write(string name, byte[] bytes)
    {
        string path = Path.Combine(Documents, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
    }

    /// <summary>Documents that are texts of one chunk each.</summary>
    public static IReadOnlyList<PreparedDocument> Prepare(IEnumerable<(string Name, string Text)> texts) =>
    [
        .. texts.Select(t => new PreparedDocument(
            t.Name, t.Name, t.Text.Length, DateTimeOffset.UnixEpoch, new SourceDocument(t.Text, [new Section(0, [])], new Dictionary<string, string>()),
            t.Text.Trim().Length == 0 ? [] : [new Chunk(0, t.Text.Length, [])])),
    ];

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
