using System.Diagnostics;
using System.Text;
using Cloud.Unum.USearch;
using Gradus.Applications.Retrieval.Indexing;

namespace Gradus.Bench;

/// <summary>Indexing of Markdown, the exact scan beside the memory's speed, and the graph beside USearch's. Results are checked before they are timed.</summary>
internal static class RetrievalBench
{
    private const int Found = 10;

    public static void Run(TextWriter output, string shared, int vectors)
    {
        Indexing(output, shared);
        float[][] data = Clustered(vectors, 384, 11), queries = Clustered(500, 384, 12);
        VectorSet exact = new(384, VectorPrecision.Float32), bytes = new(384, VectorPrecision.Int8);
        for (int i = 0; i < data.Length; i++)
        {
            exact.Add(i, data[i]);
            bytes.Add(i, data[i]);
        }
        Scan(output, bytes, queries);
        long[][] truth = [.. queries.Select(q => exact.Search(q, Found).Select(h => h.Chunk).ToArray())];
        Graph(output, data, queries, truth);
        Peer(output, data, queries, truth);
    }

    private static void Indexing(TextWriter output, string shared)
    {
        string root = Directory.CreateTempSubdirectory("gradus-bench").FullName, docs = Path.Combine(root, "docs");
        Directory.CreateDirectory(docs);
        try
        {
            string[] texts = [.. Directory.GetFiles(Path.Combine(shared, "data", "rag-csharp-standard", "standard"), "*.md").Select(File.ReadAllText)];
            long bytes = 0;
            for (int copy = 0; copy < 40; copy++)
            {
                for (int i = 0; i < texts.Length; i++)
                {
                    byte[] text = Encoding.UTF8.GetBytes($"copy {copy}\n\n{texts[i]}");
                    bytes += text.Length;
                    File.WriteAllBytes(Path.Combine(docs, $"{copy}-{i}.md"), text);
                }
            }
            using RetrievalIndex index = RetrievalIndex.OpenOrCreate(Path.Combine(root, "index.db"));
            Stopwatch watch = Stopwatch.StartNew();
            IndexingResult result = new Indexer(index).Run(docs);
            double seconds = watch.Elapsed.TotalSeconds;
            if (result.Added != 40 * texts.Length || index.SearchKeywords("delegate invocation", 5).Count == 0)
                throw new InvalidOperationException("the index does not hold what was indexed");
            output.WriteLine($"indexing Markdown: {bytes / 1e6:0.0} MB in {seconds:0.00} s, {bytes / 1e6 / seconds:0.0} MB/s; {index.ChunkCount} chunks, file {new FileInfo(index.Path).Length / 1e6:0.0} MB");
            watch.Restart();
            for (int i = 0; i < 50; i++)
                index.SearchKeywords("when is a delegate invocation expression evaluated", 10);
            output.WriteLine($"keyword search: {watch.Elapsed.TotalMilliseconds / 50:0.00} ms");
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    private static void Scan(TextWriter output, VectorSet set, float[][] queries)
    {
        set.Search(queries[0], Found);
        Stopwatch watch = Stopwatch.StartNew();
        for (int q = 0; q < 50; q++)
            set.Search(queries[q], Found);
        double scan = watch.Elapsed.TotalSeconds / 50, size = (double)set.Count * set.Dimensions;
        long[] memory = new long[(int)(size / 8)];
        Array.Fill(memory, 1);
        double read = double.MaxValue;
        for (int i = 0; i < 10; i++)
        {
            watch.Restart();
            long[] sums = new long[Environment.ProcessorCount];
            Parallel.For(0, sums.Length, part => sums[part] = System.Numerics.Tensors.TensorPrimitives.Sum<long>(memory.AsSpan(memory.Length / sums.Length * part, memory.Length / sums.Length)));
            read = Math.Min(read, watch.Elapsed.TotalSeconds);
        }
        output.WriteLine($"exact int8 scan of {set.Count:N0} × {set.Dimensions}: {scan * 1e3:0.00} ms, {size / 1e9 / scan:0.0} GB/s; reading as many bytes: {read * 1e3:0.00} ms, {size / 1e9 / read:0.0} GB/s");
    }

    private static void Graph(TextWriter output, float[][] data, float[][] queries, long[][] truth)
    {
        long before = GC.GetTotalMemory(forceFullCollection: true);
        Stopwatch watch = Stopwatch.StartNew();
        Hnsw graph = new(data[0].Length);
        for (int i = 0; i < data.Length; i++)
            graph.Add(i, data[i]);
        double build = watch.Elapsed.TotalSeconds;
        long memory = GC.GetTotalMemory(forceFullCollection: true) - before;
        output.WriteLine($"graph of ours: built in {build:0.0} s, {memory / 1e6:0} MB");
        foreach (int ef in (int[])[16, 32, 64, 128, 256])
        {
            double recall = queries.Select((q, i) => graph.Search(q, Found, ef).Count(h => truth[i].Contains(h.Chunk))).Sum() / (double)(Found * queries.Length);
            watch.Restart();
            foreach (float[] query in queries)
                graph.Search(query, Found, ef);
            output.WriteLine($"  candidates {ef}: recall@{Found} {recall:0.000}, {queries.Length / watch.Elapsed.TotalSeconds:0} queries a second, one thread");
        }
    }

    private static void Peer(TextWriter output, float[][] data, float[][] queries, long[][] truth)
    {
        foreach (uint ef in (uint[])[32, 128])
        {
            using USearchIndex peer = new(MetricKind.Cos, ScalarKind.Float32, (ulong)data[0].Length, connectivity: 16, expansionAdd: 128, expansionSearch: ef);
            Stopwatch watch = Stopwatch.StartNew();
            for (int i = 0; i < data.Length; i++)
                peer.Add((ulong)i, data[i]);
            double build = watch.Elapsed.TotalSeconds, hits = 0;
            for (int q = 0; q < queries.Length; q++)
            {
                peer.Search(queries[q], Found, out ulong[] keys, out float[] _);
                hits += keys.Count(k => truth[q].Contains((long)k));
            }
            watch.Restart();
            foreach (float[] query in queries)
                peer.Search(query, Found, out ulong[] _, out float[] _);
            output.WriteLine($"USearch, candidates {ef}: built in {build:0.0} s, recall@{Found} {hits / (Found * queries.Length):0.000}, {queries.Length / watch.Elapsed.TotalSeconds:0} queries a second, one thread");
        }
    }

    // Vectors around a thousand centres, as those of texts lie; queries from the same centres.
    private static float[][] Clustered(int count, int dimensions, int seed)
    {
        Random centres = new(5), random = new(seed);
        float[][] middle = [.. Enumerable.Range(0, 1000).Select(_ => Enumerable.Range(0, dimensions).Select(_ => (float)(centres.NextDouble() - 0.5)).ToArray())];
        return [.. Enumerable.Range(0, count).Select(_ =>
        {
            float[] centre = middle[random.Next(middle.Length)];
            return Enumerable.Range(0, dimensions).Select(d => centre[d] + (float)((random.NextDouble() - 0.5) * 0.8)).ToArray();
        })];
    }
}
