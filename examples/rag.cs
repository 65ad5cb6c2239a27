#:project ../src/Gradus.Applications/Gradus.Applications.csproj
// Indexes a folder, searches it, and checks the citations of an answer: dotnet run examples/rag.cs
using Gradus.Applications.Retrieval.Answers;
using Gradus.Applications.Retrieval.Indexing;
using Gradus.Applications.Retrieval.Search;

string folder = Directory.CreateTempSubdirectory("gradus-rag").FullName;
File.WriteAllText(Path.Combine(folder, "tides.md"), "# Tides\n\nThe tide rises twice a day.\n\n## Spring tides\n\nSpring tides follow the full moon.\n");
File.WriteAllText(Path.Combine(folder, "harbour.txt"), "The harbour is closed in winter. Boats wait outside.\n");

using (RetrievalIndex index = RetrievalIndex.OpenOrCreate(Path.Combine(folder, "index.db")))
{
    IndexingResult result = new Indexer(index).Run(folder);
    Console.WriteLine($"{result.Added} documents, {index.ChunkCount} chunks");

    // With a chat model (any IChatClient) an AnswerWriter does these steps and writes the answer.
    RetrievalStep recipe = new KeywordSearch();
    IReadOnlyList<Hit> hits = await recipe.FindAsync(new SearchContext(index), "when is the harbour closed?", count: 3, CancellationToken.None);
    IReadOnlyList<StoredChunk> passages = index.Chunks(hits.Select(h => h.Chunk));
    foreach (StoredChunk passage in passages)
        Console.WriteLine($"{passage.Source}: {passage.Text.ReplaceLineEndings(" ")}");

    (string text, IReadOnlyList<Citation> citations, int removed) = CitationVerifier.Verify(
        "In winter [1: \"closed in winter\"], says the model, and in May [1: \"closed in May\"].", passages);
    Console.WriteLine($"{text}  ({citations.Count} citation stands in {citations[0].Document}, {removed} removed)");
}
Directory.Delete(folder, recursive: true);
