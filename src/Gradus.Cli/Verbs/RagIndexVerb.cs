using System.CommandLine;
using System.Text.Json.Nodes;
using Gradus.Applications.Retrieval.Chunking;
using Gradus.Applications.Retrieval.Documents;
using Gradus.Applications.Retrieval.Indexing;
using Gradus.Cli.Console;
using Gradus.Text;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus rag index</c>.</summary>
internal static class RagIndexVerb
{
    private static readonly Argument<string> Source = new("FOLDER") { Description = "The folder with the documents, or one document." };
    private static readonly Option<string> IndexFile = RagVerb.IndexOption();
    private static readonly Option<string?> Pattern = new("--files") { Description = "Only these files, like *.md or reports/*.pdf; without it all formats that are known.", HelpName = "PATTERN" };
    private static readonly Option<string> Chunks = new("--chunks") { Description = "How documents are cut: recursive, headings, sentences, tokens or code.", HelpName = "KIND", DefaultValueFactory = _ => "recursive" };
    private static readonly Option<int> Size = Numeric.Option("--size", "The most characters of a chunk; with tokens, its tokens.", 1, 1_000_000, 1000);
    private static readonly Option<int?> Overlap = Numeric.Optional("--overlap", "Characters (sentences, tokens) that the next chunk repeats; without it a fifth of the size, or one sentence.", 0, 1_000_000);
    private static readonly Option<string?> TokenizerPath = new("--tokenizer") { Description = "The tokenizer for --chunks tokens.", HelpName = "TOKENIZER" };
    private static readonly Option<WordForm> Words = new("--words") { Description = "What becomes of words: auto, exact, porter (English) or grams (any language).", DefaultValueFactory = _ => WordForm.Auto };
    private static readonly Option<string?> Embed = new("--embed") { Description = "Make vectors: latent fits a small model to the documents themselves; otherwise a model of texts (BERT, a decoder, T5), its folder or file.", HelpName = "latent|MODEL" };
    private static readonly Option<int> Dimensions = Numeric.Option("--dimensions", "Elements of the latent model's vectors.", 1, 4096, 128);
    private static readonly Option<string?> Encoding = new("--encoding") { Description = "The encoding of text files that are not UTF-8, like windows-1251 or gb18030.", HelpName = "NAME" };
    private static readonly Option<long> MaxBytes = Numeric.Option("--max-bytes", "The greatest size of a file.", 1L, 1L << 40, new ReadingLimits().MaxBytes);
    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("index", "Index a folder of documents, or bring its index up to date.") { Source, IndexFile, Pattern, Chunks, Size, Overlap, TokenizerPath, Words, Embed, Dimensions, Encoding, MaxBytes, Json };
        verb.Examples =
        [
            ("rag index docs --index docs.db", "indexes Markdown, HTML, PDF, Word, text, tables and code for keywords; again, it reads only what has changed"),
            ("rag index docs --index docs.db --embed latent", "fits vectors to the documents as well: searches become hybrid, without a download"),
        ];
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse)
    {
        string? embed = parse.GetValue(Embed);
        Chunker chunker = ReadChunker(parse);
        using RetrievalIndex index = RetrievalIndex.OpenOrCreate(parse.GetRequiredValue(IndexFile), new IndexSettings(parse.GetValue(Words)));
        Indexer indexer = new(index, chunker, new ReadingLimits(parse.GetValue(MaxBytes), Encoding: parse.GetValue(Encoding)));
        long began = Environment.TickCount64;
        IndexingResult result = indexer.Run(parse.GetRequiredValue(Source), parse.GetValue(Pattern), Progress(context), context.Cancellation);
        double seconds = (Environment.TickCount64 - began) / 1000.0;
        long embedded = MakeVectors(context, index, indexer, embed, parse.GetValue(Dimensions), result);
        Print(context, parse.GetValue(Json), index, result, embedded, seconds);
        return ExitCode.Done;
    }

    // An index that has vectors gets those of its new chunks without being asked.
    private static long MakeVectors(CommandContext context, RetrievalIndex index, Indexer indexer, string? embed, int dimensions, IndexingResult result)
    {
        string? model = embed ?? index.Settings.EmbeddingModel;
        if (model is "latent" or LatentSemanticModel.Name)
        {
            bool stale = embed is not null || result.Added + result.Changed + result.Removed > 0;
            return stale ? indexer.FitAndEmbedAsync(dimensions, cancellation: context.Cancellation).GetAwaiter().GetResult() : 0;
        }
        if (model is null)
            return 0;
        using RagModels models = new(context);
        return indexer.EmbedAsync(models.Open(model), model, cancellation: context.Cancellation).GetAwaiter().GetResult();
    }

    private static void Print(CommandContext context, bool json, RetrievalIndex index, IndexingResult result, long embedded, double seconds)
    {
        foreach (FileRemark remark in result.Remarks)
            context.Note(Failures.OneLine($"{remark.Name}: {(remark.Skipped ? "left out: " : "")}{remark.Reason}"));
        if (json)
        {
            context.WriteJsonLine(new JsonObject
            {
                ["index"] = index.Path,
                ["added"] = result.Added,
                ["changed"] = result.Changed,
                ["unchanged"] = result.Unchanged,
                ["removed"] = result.Removed,
                ["left_out"] = result.Remarks.Count(r => r.Skipped),
                ["chunks"] = index.ChunkCount,
                ["embedded"] = embedded,
                ["bytes"] = result.Bytes,
                ["seconds"] = seconds,
                ["words"] = index.Settings.Words.ToString().ToLowerInvariant(),
            });
            return;
        }
        Facts facts = new(context);
        facts.Add("index", index.Path);
        facts.Add("documents", $"{result.Added} added, {result.Changed} changed, {result.Unchanged} unchanged, {result.Removed} removed, {result.Remarks.Count(r => r.Skipped)} left out");
        facts.Add("chunks", $"{index.ChunkCount:N0}, words as {index.Settings.Words.ToString().ToLowerInvariant()}");
        if (index.Settings.EmbeddingModel is { } model)
            facts.Add("vectors", $"{model}, {index.Settings.Dimensions} elements");
        facts.Add("read", $"{Facts.Bytes(result.Bytes)} in {seconds:0.0} s");
    }

    private static Progress<IndexingProgress>? Progress(CommandContext context) => context.ErrorIsTerminal
        ? new Progress<IndexingProgress>(p => context.Error.Write($"\r{p.Files:N0} of {p.Of:N0} files, {Facts.Bytes(p.Bytes)}   "))
        : null;

    private static Chunker ReadChunker(ParseResult parse)
    {
        int size = parse.GetValue(Size);
        int? overlap = parse.GetValue(Overlap);
        return parse.GetRequiredValue(Chunks) switch
        {
            "recursive" => new RecursiveChunker(size, overlap ?? size / 5),
            "headings" => new HeadingChunker(size),
            "sentences" => new SentenceChunker(Overlap: overlap ?? 1, Size: size),
            "code" => new CodeChunker(size),
            "tokens" => new TokenChunker(Tokenizer.Load(parse.GetValue(TokenizerPath) ?? throw new UsageException("--chunks tokens needs --tokenizer.")), size, overlap ?? 0),
            string other => throw new UsageException($"--chunks is recursive, headings, sentences, tokens or code, not {other}."),
        };
    }
}
