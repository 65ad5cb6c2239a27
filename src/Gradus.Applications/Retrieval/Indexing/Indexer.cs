// Purpose: from a folder to an index, again and again: what has not changed is not read, what is gone leaves, and every batch that was written stays
// whatever happens next. Reading and analysing run on all cores; one batch at a time is written, in the order of the names.

using System.Security.Cryptography;
using Gradus.Applications.Retrieval.Chunking;
using Gradus.Applications.Retrieval.Documents;
using Microsoft.Extensions.AI;

namespace Gradus.Applications.Retrieval.Indexing;

/// <summary>A file that was not indexed, or not wholly, and why; one line.</summary>
/// <param name="Name">The file.</param>
/// <param name="Reason">What was wrong with it.</param>
/// <param name="Skipped">Whether it is not in the index; otherwise it is, with a remark.</param>
public sealed record FileRemark(string Name, string Reason, bool Skipped);

/// <summary>What a run of indexing did.</summary>
/// <param name="Added">Documents that are new.</param>
/// <param name="Changed">Documents whose content has changed.</param>
/// <param name="Unchanged">Documents that stayed.</param>
/// <param name="Removed">Documents whose files are gone.</param>
/// <param name="Chunks">Chunks that were written.</param>
/// <param name="Bytes">Bytes of the files that were read.</param>
/// <param name="Remarks">Files that could not be read, and what was assumed of others.</param>
public sealed record IndexingResult(int Added, int Changed, int Unchanged, int Removed, long Chunks, long Bytes, IReadOnlyList<FileRemark> Remarks);

/// <summary>How far a run of indexing is.</summary>
/// <param name="Files">Files that are done.</param>
/// <param name="Of">Files there are.</param>
/// <param name="Bytes">Bytes that were read.</param>
public readonly record struct IndexingProgress(int Files, int Of, long Bytes);

/// <summary>Keeps an index equal to a folder of documents.</summary>
/// <param name="index">The index.</param>
/// <param name="chunker">Cuts documents; null: 1,000 characters with an overlap of 200.</param>
/// <param name="limits">What may be taken from a file; null: the defaults.</param>
public sealed class Indexer(RetrievalIndex index, Chunker? chunker = null, ReadingLimits? limits = null)
{
    private const long BatchBytes = 8 << 20;
    private const int BatchFiles = 2000;
    private const int EmbeddingBatch = 64;
    private readonly Chunker _chunker = chunker ?? new RecursiveChunker();
    private readonly ReadingLimits _limits = limits ?? new ReadingLimits();

    /// <summary>Reads what is new or has changed, and takes out what is gone.</summary>
    /// <param name="folder">The folder, or one file.</param>
    /// <param name="pattern">Which files, see <see cref="DocumentFiles.Find"/>.</param>
    /// <param name="progress">Is told how far it is.</param>
    /// <param name="cancellation">Ends the work behind the batch at hand; what was written stays.</param>
    /// <exception cref="FileNotFoundException">There is no such folder.</exception>
    public IndexingResult Run(string folder, string? pattern = null, IProgress<IndexingProgress>? progress = null, CancellationToken cancellation = default)
    {
        List<FileRemark> remarks = [];
        IReadOnlyList<DocumentFile> files = DocumentFiles.Find(folder, pattern, (name, reason) => remarks.Add(new FileRemark(name, reason, Skipped: true)));
        Dictionary<string, IndexedDocument> known = index.Documents().ToDictionary(d => d.Name, StringComparer.Ordinal);
        int removed = index.Remove(known.Keys.Except(files.Select(f => f.Name), StringComparer.Ordinal));
        List<(DocumentFile File, FileInfo Info)> changed = [.. files.Select(f => (f, new FileInfo(f.Path))).Where(f => !IsUnchanged(f.Item2, known.GetValueOrDefault(f.f.Name)))];
        int added = 0, modified = 0, done = files.Count - changed.Count;
        long chunks = 0, bytes = 0;
        TextAnalyzer? analyzer = null;
        foreach (Batch batch in Ahead(Batches(changed), known, b => analyzer is null ? null : PreparedBatch.Of(b, analyzer), cancellation))
        {
            remarks.AddRange(batch.Remarks);
            index.Touch(batch.Same);
            analyzer ??= index.Prepare(batch.Documents.Select(d => d.Document.Text), _chunker);
            index.Write(batch.Prepared ?? PreparedBatch.Of(batch.Documents, analyzer));
            int replaced = batch.Documents.Count(d => known.ContainsKey(d.Name));
            (added, modified) = (added + batch.Documents.Count - replaced, modified + replaced);
            chunks += batch.Documents.Sum(d => (long)d.Chunks.Count);
            bytes += batch.Bytes;
            progress?.Report(new IndexingProgress(done += batch.Files, files.Count, bytes));
        }
        // A file that can no longer be read keeps what was read of it before.
        return new IndexingResult(added, modified, index.Documents().Count - added - modified, removed, chunks, bytes, remarks);
    }

    /// <summary>Makes the vectors of chunks that have none; each batch is on the disk before the next is made.</summary>
    /// <param name="generator">The model.</param>
    /// <param name="model">Its name, which the index stays with.</param>
    /// <param name="progress">Is told how many chunks have got a vector.</param>
    /// <param name="cancellation">Ends the work behind the batch at hand.</param>
    /// <returns>How many chunks got a vector.</returns>
    /// <exception cref="InvalidDataException">The index holds vectors of another model.</exception>
    public async Task<long> EmbedAsync(IEmbeddingGenerator<string, Embedding<float>> generator, string model, IProgress<long>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(generator);
        index.CheckEmbeddingModel(model);
        long embedded = 0;
        while (index.ChunksWithoutVectors(EmbeddingBatch) is { Count: > 0 } ids)
        {
            cancellation.ThrowIfCancellationRequested();
            IReadOnlyList<StoredChunk> chunks = index.Chunks(ids);
            GeneratedEmbeddings<Embedding<float>> vectors = await generator.GenerateAsync(chunks.Select(EmbeddedText), cancellationToken: cancellation).ConfigureAwait(false);
            if (vectors.Count != chunks.Count)
                throw new InvalidDataException($"the embedding model gave {vectors.Count} vectors for {chunks.Count} texts.");
            index.SetEmbeddingModel(model, vectors[0].Vector.Length);
            index.AddVectors([.. chunks.Zip(vectors, (c, v) => (c.Id, v.Vector))]);
            progress?.Report(embedded += chunks.Count);
        }
        return embedded;
    }

    /// <summary>Fits the index's own model to all its chunks and makes their vectors again with it.</summary>
    /// <param name="dimensions">Elements of the vectors, at most.</param>
    /// <param name="progress">Is told how many chunks have got a vector.</param>
    /// <param name="cancellation">Ends the work.</param>
    /// <returns>How many chunks got a vector.</returns>
    public async Task<long> FitAndEmbedAsync(int dimensions = 128, IProgress<long>? progress = null, CancellationToken cancellation = default)
    {
        index.CheckEmbeddingModel(LatentSemanticModel.Name);
        List<string> texts = [];
        foreach (IndexedDocument document in index.Documents())
            texts.AddRange(index.ChunksOf(document.Name).Select(EmbeddedText));
        using LatentSemanticModel model = LatentSemanticModel.Fit(texts, index.Analyzer, dimensions);
        index.RemoveVectors();
        index.SaveModel(LatentSemanticModel.Name, model.ToBytes());
        return await EmbedAsync(model, LatentSemanticModel.Name, progress, cancellation).ConfigureAwait(false);
    }

    /// <summary>What a vector is made of: where the chunk stands, and its text.</summary>
    private static string EmbeddedText(StoredChunk chunk) => chunk.Headings.Count == 0 ? chunk.Text : $"{string.Join(" / ", chunk.Headings)}\n{chunk.Text}";

    private static bool IsUnchanged(FileInfo file, IndexedDocument? known) =>
        known is not null && file.Length == known.Bytes && new DateTimeOffset(file.LastWriteTimeUtc).ToUnixTimeMilliseconds() == known.Modified.ToUnixTimeMilliseconds();

    private static IEnumerable<List<(DocumentFile File, FileInfo Info)>> Batches(List<(DocumentFile File, FileInfo Info)> files)
    {
        List<(DocumentFile, FileInfo)> batch = [];
        long bytes = 0;
        foreach ((DocumentFile file, FileInfo info) in files)
        {
            batch.Add((file, info));
            bytes += info.Length;
            if (bytes < BatchBytes && batch.Count < BatchFiles)
                continue;
            yield return batch;
            (batch, bytes) = ([], 0);
        }
        if (batch.Count > 0)
            yield return batch;
    }

    // As many batches as there are cores are in the making while one is written.
    private IEnumerable<Batch> Ahead(
        IEnumerable<List<(DocumentFile File, FileInfo Info)>> batches, Dictionary<string, IndexedDocument> known, Func<IReadOnlyList<PreparedDocument>, PreparedBatch?> prepare, CancellationToken cancellation)
    {
        Queue<Task<Batch>> making = [];
        foreach (List<(DocumentFile File, FileInfo Info)> batch in batches)
        {
            making.Enqueue(Task.Run(() => Make(batch, known, prepare, cancellation), cancellation));
            if (making.Count > Environment.ProcessorCount)
                yield return making.Dequeue().GetAwaiter().GetResult();
        }
        while (making.TryDequeue(out Task<Batch>? next))
            yield return next.GetAwaiter().GetResult();
    }

    private Batch Make(List<(DocumentFile File, FileInfo Info)> files, Dictionary<string, IndexedDocument> known, Func<IReadOnlyList<PreparedDocument>, PreparedBatch?> prepare, CancellationToken cancellation)
    {
        List<PreparedDocument> documents = [];
        List<FileRemark> remarks = [];
        List<(string, DateTimeOffset)> same = [];
        long bytes = 0;
        foreach ((DocumentFile file, FileInfo info) in files)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                if (Read(file, info, known.GetValueOrDefault(file.Name)) is { } document)
                {
                    documents.Add(document);
                    remarks.AddRange(document.Document.Remarks.Select(r => new FileRemark(file.Name, r, Skipped: false)));
                }
                else
                {
                    same.Add((file.Name, info.LastWriteTimeUtc));
                }
                bytes += info.Length;
            }
            catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException or NotSupportedException)
            {
                remarks.Add(new FileRemark(file.Name, e.Message, Skipped: true));
            }
        }
        return new Batch(documents, remarks, same, bytes, files.Count, prepare(documents));
    }

    private PreparedDocument? Read(DocumentFile file, FileInfo info, IndexedDocument? known)
    {
        DocumentReader reader = DocumentReader.For(file.Path) ?? new PlainTextReader();
        if (info.Length > _limits.MaxBytes)
            throw new InvalidDataException($"{info.Length:N0} bytes, more than the limit of {_limits.MaxBytes:N0}; split the file or raise the limit");
        byte[] bytes = File.ReadAllBytes(file.Path);
        string hash = Convert.ToHexStringLower(SHA256.HashData(bytes));
        if (known?.Hash == hash)
            return null;
        SourceDocument document = reader.Read(bytes, file.Name, _limits);
        return new PreparedDocument(file.Name, hash, bytes.Length, info.LastWriteTimeUtc, document, _chunker.Split(document));
    }

    private sealed record Batch(IReadOnlyList<PreparedDocument> Documents, IReadOnlyList<FileRemark> Remarks, IReadOnlyList<(string, DateTimeOffset)> Same, long Bytes, int Files, PreparedBatch? Prepared);
}
