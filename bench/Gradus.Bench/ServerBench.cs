using System.Diagnostics;
using System.Text;
using Gradus.Bundle;
using Gradus.Files;
using Gradus.Generation;
using Gradus.Models;
using Gradus.Server;
using Gradus.Server.Catalog;
using Gradus.Server.Inference;
using Gradus.Tensors.Cpu;
using Gradus.Text;

namespace Gradus.Bench;

/// <summary>
/// The server over the engine it stands on: tokens per second of clients that stream, beside the same requests put to the engine itself; and a soak of short
/// requests, malformed ones and disconnects, after which nothing may be left behind.
/// </summary>
internal static class ServerBench
{
    private const int PromptTokens = 128, NewTokens = 48;

    /// <summary>Measures 1, 4, 8 and 16 clients.</summary>
    public static async Task Clients(Action<string> write)
    {
        using ModelBundle bundle = Model();
        write("clients  engine tok/s  server tok/s  ratio");
        foreach (int clients in new[] { 1, 4, 8, 16 })
        {
            // In turn, so that what else the machine does meets both.
            List<double> alone = [], served = [];
            for (int round = 0; round < 3; round++)
            {
                alone.Add(await EngineAlone(bundle, clients));
                served.Add(await Served(clients));
            }
            double engine = alone.Order().ElementAt(1), server = served.Order().ElementAt(1);
            write($"{clients,7}  {engine,12:0.0}  {server,12:0.0}  {server / engine,5:0.000}");
        }
    }

    /// <summary>Many short requests, some of them nonsense or given up.</summary>
    /// <param name="requests">How many.</param>
    /// <param name="write">Takes the lines.</param>
    public static async Task Soak(int requests, Action<string> write)
    {
        using ModelCatalog catalog = new([new ModelSource("bench", _ => new ServedModel(Model()))]);
        await using InferenceServer server = new(catalog, new ServerOptions(Port: 0, MaxActive: 64));
        await server.Start();
        await server.Load();
        using HttpClient client = new() { BaseAddress = server.Address };
        long[] ends = new long[10];
        int done = 0, wellFormed = 0;
        long begun = Stopwatch.GetTimestamp();
        await Parallel.ForEachAsync(Enumerable.Range(0, requests), new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, _) =>
        {
            Interlocked.Add(ref wellFormed, await Ask(client, i) ? 1 : 0);
            int n = Interlocked.Increment(ref done);
            if (n % Math.Max(1, requests / 10) == 0 && (n / Math.Max(1, requests / 10)) - 1 is >= 0 and < 10 and var tenth)
                ends[tenth] = Stopwatch.GetTimestamp();
        });
        EngineModel model = (EngineModel)catalog.Names[0].Model!.Inference!;
        for (int i = 0; i < 1000 && model.Load is not { Running: 0, Waiting: 0 }; i++)
            await Task.Delay(5);
        double first = Stopwatch.GetElapsedTime(ends[0], ends[1]).TotalSeconds, last = Stopwatch.GetElapsedTime(ends[8], ends[9]).TotalSeconds;
        GC.Collect();
        write($"{requests} requests in {Stopwatch.GetElapsedTime(begun).TotalSeconds:0.0} s, {wellFormed} answered well-formed; second tenth {requests / 10 / first:0.0} a second, last {requests / 10 / last:0.0}");
        write($"left: {model.Load.Running} running, {model.Load.Waiting} waiting, {catalog.Names[0].InUse} leases; managed memory {GC.GetTotalMemory(true) >> 20} MiB, process {Environment.WorkingSet >> 20} MiB");
    }

    private static ModelBundle Model()
    {
        Tokenizer tokenizer = ByteLevelBpeTrainer.Train(Corpus.FromTexts(["the cat sat on the mat"]), new ByteLevelBpeOptions(258, ["<|endoftext|>"])).Tokenizer;
        ModelConfig config = new LlamaConfig(VocabSize: tokenizer.VocabularySize, HiddenSize: 512, IntermediateSize: 1536, NumHiddenLayers: 8, NumAttentionHeads: 8, MaxPositionEmbeddings: 2048);
        return new ModelBundle(Checkpoint.Create(config, 1, CpuDevice.Default), tokenizer, new ModelLocation("bench"));
    }

    private static int[] Prompt(int client) => [.. Enumerable.Range(0, PromptTokens).Select(t => 1 + ((((t * 31) + (client * 101)) & 0x7FFF) % 256))];

    private static async Task<double> EngineAlone(ModelBundle bundle, int clients)
    {
        using GenerationEngine engine = new(bundle.Generative);
        long begun = Stopwatch.GetTimestamp();
        int[] tokens = await Task.WhenAll(Enumerable.Range(0, clients).Select(async c =>
        {
            int count = 0;
            await foreach (GeneratedToken _ in engine.Submit(new GenerationRequest(Prompt(c)) { MaxNewTokens = NewTokens, Seed = 1 }))
                count++;
            return count;
        }));
        return tokens.Sum() / Stopwatch.GetElapsedTime(begun).TotalSeconds;
    }

    private static async Task<double> Served(int clients)
    {
        using ModelCatalog catalog = new([new ModelSource("bench", _ => new ServedModel(Model()))]);
        await using InferenceServer server = new(catalog, new ServerOptions(Port: 0));
        await server.Start();
        await server.Load();
        using HttpClient client = new() { BaseAddress = server.Address };
        long begun = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, clients).Select(async c =>
        {
            string body = $$"""{"prompt": [{{string.Join(',', Prompt(c))}}], "max_tokens": {{NewTokens}}, "seed": 1, "ignore_eos": true, "stream": true}""";
            using HttpResponseMessage response = await client.PostAsync("/v1/completions", new StringContent(body, Encoding.UTF8, "application/json"));
            response.EnsureSuccessStatusCode();
            await response.Content.ReadAsStringAsync();
        }));
        return clients * NewTokens / Stopwatch.GetElapsedTime(begun).TotalSeconds;
    }

    private static async Task<bool> Ask(HttpClient client, int i)
    {
        string body = i % 7 == 3 ? "{\"prompt\"" : $$"""{"prompt": "number {{i}}", "max_tokens": {{1 + (i % 8)}}, "seed": {{i}}}""";
        using CancellationTokenSource leave = new();
        if (i % 11 == 5)
            leave.CancelAfter(TimeSpan.FromMilliseconds(i % 20));
        try
        {
            using HttpResponseMessage response = await client.PostAsync("/v1/completions", new StringContent(body, Encoding.UTF8, "application/json"), leave.Token);
            string text = await response.Content.ReadAsStringAsync(leave.Token);
            return text.Contains(response.IsSuccessStatusCode ? "\"choices\"" : "\"code\"", StringComparison.Ordinal);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }
}
