using System.Runtime.InteropServices;

namespace Gradus.Training.Data.Cleaning;

/// <summary>
/// Cleans corpora: streams of documents in, a file of those that are kept out. Documents are judged side by side and written in their order, so that the
/// same files give the same bytes on any number of threads; memory is bounded, but for 8 to 16 bytes a document (and a span, of sentences).
/// </summary>
/// <param name="files">The files, in their order.</param>
/// <param name="columns">The files' names of fields, and the names that they are read as; null for none.</param>
/// <param name="report">Becomes what happened.</param>
/// <param name="cancel">Stops; no file is left.</param>
public sealed class CorpusCleaning(IReadOnlyList<string> files, IReadOnlyDictionary<string, string>? columns, CleaningReport report, CancellationToken cancel = default)
{
    /// <summary>Keeps the documents that pass all filters, with the text that the filters leave.</summary>
    /// <param name="filters">The filters, by name, in their order.</param>
    /// <param name="output">The file.</param>
    public void Filter(IReadOnlyList<(string Name, DocumentFilter Filter)> filters, string output) => Write(output, write =>
    {
        foreach ((CorpusDocument document, (string? rule, string text)) in CorpusDocuments.InOrder(Documents(), d => Judge(d.Text), cancel))
            write(document, rule, text);

        (string?, string) Judge(string text)
        {
            string left = text;
            foreach ((string name, DocumentFilter filter) in filters)
            {
                FilterDecision decision = filter.Apply(left);
                if (!decision.IsKept)
                    return ($"{name}: {decision.Reason}", text);
                left = decision.Text;
            }
            return (null, left);
        }
    });

    /// <summary>Keeps the first of documents of equal text.</summary>
    /// <param name="output">The file.</param>
    public void DropEqual(string output)
    {
        Fingerprint fingerprint = new(FingerprintKind.XxHash, 64);
        ExactDeduplication seen = new(fingerprint);
        foreach ((_, ulong hash) in CorpusDocuments.InOrder(Documents(), d => fingerprint.Of(d.Text), cancel))
            seen.Add(hash, 0, seen.Documents);
        WriteChosen(output, seen.IsKept, "equal to another document");
    }

    /// <summary>Keeps one of each cluster of documents that are alike.</summary>
    /// <param name="hash">The signatures.</param>
    /// <param name="output">The file.</param>
    public void DropAlike(MinHash hash, string output)
    {
        ArgumentNullException.ThrowIfNull(hash);
        string folder = Directory.CreateTempSubdirectory("gradus-minhash-").FullName;
        try
        {
            List<int> signed = [];
            int documents = Sign(hash, folder, signed);
            DuplicateClusters clusters = new(documents);
            int[] rows = [.. signed];
            for (int bucket = 0; bucket < hash.Buckets; bucket++)
            {
                cancel.ThrowIfCancellationRequested();
                ulong[] minima = new ulong[rows.Length * hash.HashesPerBucket];
                using (FileStream file = File.OpenRead(BucketFile(folder, bucket)))
                    file.ReadExactly(MemoryMarshal.AsBytes(minima.AsSpan()));
                foreach ((int first, int second) in DuplicateClusters.Pairs(minima, hash.HashesPerBucket, rows))
                    clusters.Join(first, second);
            }
            WriteChosen(output, clusters.IsKept, "like another document");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Drops documents most of whose n-grams were there before, in one pass.</summary>
    /// <param name="filter">The filter; filled by this.</param>
    /// <param name="output">The file.</param>
    public void DropKnown(BloomDeduplication filter, string output) => Write(output, write =>
    {
        ArgumentNullException.ThrowIfNull(filter);
        foreach (CorpusDocument document in Documents())
            write(document, filter.Add(document.Text) ? null : "known before", document.Text);
    });

    /// <summary>Takes out spans of sentences that were there before.</summary>
    /// <param name="rule">The spans.</param>
    /// <param name="output">The file.</param>
    public void DropSentences(SentenceDeduplication rule, string output) => Write(output, write =>
    {
        ArgumentNullException.ThrowIfNull(rule);
        HashSet<ulong> seen = [];
        foreach ((CorpusDocument document, (ulong Hash, int Sentence)[] spans) in CorpusDocuments.InOrder(Documents(), d => rule.Spans(d.Text).ToArray(), cancel))
        {
            int[] repeated = [.. spans.Where(s => !seen.Add(s.Hash)).Select(s => s.Sentence)];
            string? cleaned = rule.Clean(document.Text, repeated);
            write(document, cleaned is null ? "too little left without repeated sentences" : null, cleaned ?? document.Text);
        }
    });

    /// <summary>Drops documents that hold parts of evaluation sets.</summary>
    /// <param name="rule">The sets.</param>
    /// <param name="output">The file.</param>
    public void Decontaminate(Decontamination rule, string output) => Write(output, write =>
    {
        ArgumentNullException.ThrowIfNull(rule);
        foreach ((CorpusDocument document, (string Ngram, string Task)? found) in CorpusDocuments.InOrder(Documents(), d => rule.Find(d.Text), cancel))
            write(document, found is { } hit ? $"contains {hit.Task}" : null, document.Text);
    });

    /// <summary>Replaces e-mail addresses and public network addresses.</summary>
    /// <param name="rule">The replacements.</param>
    /// <param name="output">The file.</param>
    public void Scrub(PersonalData rule, string output) => Write(output, write =>
    {
        ArgumentNullException.ThrowIfNull(rule);
        foreach (CorpusDocument document in Documents())
            write(document, null, rule.Replace(document.Text));
    });

    private IEnumerable<CorpusDocument> Documents() => CorpusDocuments.Read(files, columns);

    private void WriteChosen(string output, Func<int, bool> isKept, string reason) => Write(output, write =>
    {
        int number = 0;
        foreach (CorpusDocument document in Documents())
            write(document, isKept(number++) ? null : reason, document.Text);
    });

    private void Write(string output, Action<Action<CorpusDocument, string?, string>> documents) => CorpusDocuments.WriteFile(output, stream => documents((document, rule, text) =>
    {
        cancel.ThrowIfCancellationRequested();
        if (rule is not null)
        {
            report.Drop(rule, document.Text);
            return;
        }
        report.Keep(document.Text, text);
        CorpusDocuments.WriteLine(stream, document, text);
    }));

    // A file for each bucket, so that one of them is in memory at a time.
    private int Sign(MinHash hash, string folder, List<int> signed)
    {
        Stream[] buckets = [.. Enumerable.Range(0, hash.Buckets).Select(b => new BufferedStream(File.Create(BucketFile(folder, b)), 1 << 16))];
        int number = 0;
        try
        {
            foreach ((_, ulong[]? signature) in CorpusDocuments.InOrder(Documents(), d => hash.Signature(d.Text), cancel))
            {
                if (signature is not null)
                {
                    signed.Add(number);
                    for (int b = 0; b < buckets.Length; b++)
                        buckets[b].Write(MemoryMarshal.AsBytes(signature.AsSpan(b * hash.HashesPerBucket, hash.HashesPerBucket)));
                }
                number++;
            }
        }
        finally
        {
            foreach (Stream bucket in buckets)
                bucket.Dispose();
        }
        return number;
    }

    private static string BucketFile(string folder, int bucket) => Path.Combine(folder, $"{bucket:D3}.minima");
}
