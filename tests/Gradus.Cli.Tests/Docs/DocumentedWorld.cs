using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Gradus.Cli.Tests.Packages;
using Gradus.Cli.Tests.Verbs;
using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Testing;
using Gradus.Text;
using Gradus.Text.Chat;
using Gradus.Training.Data.SmallWorld;

namespace Gradus.Cli.Tests.Docs;

/// <summary>
/// What a reader of the documentation has: a clone, and files under the names that the pages give theirs, all of them small. Models lie in one place
/// and are linked into the folder of each page. Data sets with names come from a server on loopback.
/// </summary>
public sealed class DocumentedWorld : IDisposable
{
    private const int Records = 40;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);
    private readonly SmallModel _models = new();
    private readonly LoopbackServer _server;
    private readonly Dictionary<string, Task<string[]>> _pages = [];
    private readonly SemaphoreSlim _slots = new(Environment.ProcessorCount);
    private readonly Dictionary<string, byte[]> _fetched = new(StringComparer.Ordinal);
    private readonly string[] _stories = [.. new SmallWorldGenerator(seed: 1).Stories(Split.Train, 400)];

    public DocumentedWorld()
    {
        WriteModels();
        _server = new LoopbackServer(request => _fetched.TryGetValue(request.Path, out byte[]? content) ? new Response(200, content) : new Response(404, []));
        string story = string.Join('\n', _stories), sums = Lines(i => new JsonObject { ["question"] = $"What is {i} + 1?", ["answer"] = $"{i} + 1 = {i + 1}\n#### {i + 1}" });
        JsonObject registry = [];
        AddDataSet(registry, "tiny-shakespeare", ("input.txt", Encoding.UTF8.GetBytes(story)));
        AddDataSet(registry, "gsm8k", ("train.jsonl", Encoding.UTF8.GetBytes(sums)), ("test-part1.jsonl", Encoding.UTF8.GetBytes(sums)));
        AddDataSet(registry, "stories260k-weights", ("stories260K.bin", Llama2C.Model()), ("tok512.bin", Llama2C.Tokenizer()));
        _models.WriteFile("registry.json", registry.ToJsonString());
    }

    /// <summary>What a page's commands gave. All pages are begun with the first that is asked for, as many at once as there are cores.</summary>
    public Task<string[]> Of(string page, string[] pages, Func<DocumentedWorld, string, string[]> run)
    {
        lock (_pages)
        {
            foreach (string each in _pages.Count == 0 ? pages : [])
                _pages[each] = RunInTurn(each, run);
            return _pages[page];
        }
    }

    private async Task<string[]> RunInTurn(string page, Func<DocumentedWorld, string, string[]> run)
    {
        await _slots.WaitAsync();
        try
        {
            return await Task.Run(() => run(this, page));
        }
        finally
        {
            _slots.Release();
        }
    }

    /// <summary>Makes the folder of a page.</summary>
    public string NewFolder(string page)
    {
        string folder = _models[Path.Combine("pages", page.Replace('/', '-'))];
        Directory.CreateDirectory(folder);
        foreach (string model in Directory.GetDirectories(_models["llama/.."]).Where(d => Path.GetFileName(d) is not ("pages" or "runs")))
            Directory.CreateSymbolicLink(Path.Combine(folder, Path.GetFileName(model)), model);
        foreach ((string run, string model) in (ReadOnlySpan<(string, string)>)[("quickstart/3-pretrain", "base"), ("quickstart/4-instruct", "base"), ("quickstart/5-lora", "lora-a"), ("lora", "lora-a")])
        {
            Directory.CreateDirectory(Path.Combine(folder, "runs", Path.GetDirectoryName(run)!));
            Directory.CreateSymbolicLink(Path.Combine(folder, "runs", run), _models[model]);
        }
        foreach (string part in (ReadOnlySpan<string>)["recipes", "docs", "examples"])
            Copy(Path.Combine(PackageFeed.Repository, part), Path.Combine(folder, part));
        File.Copy(Path.Combine(PackageFeed.Repository, "README.md"), Path.Combine(folder, "README.md"));
        WriteFiles(folder);
        WriteRecipes(folder);
        return folder;
    }

    /// <summary>Runs a command in its page's folder. What is to take a moment only is made so by <paramref name="more"/>.</summary>
    internal CommandLineRun Run(DocumentedCommand command, string folder, params string[] more)
    {
        using Process process = Start(command, folder, more);
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        try
        {
            if (command.Input is not null)
                process.StandardInput.Write(File.ReadAllText(Path.Combine(folder, command.Input)));
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading.
        }
        if (!process.WaitForExit(Limit))
        {
            process.Kill();
            Assert.Fail($"{command}: takes longer than {Limit.TotalMinutes} minutes");
        }
        if (command.Output is not null)
            File.WriteAllText(Path.Combine(folder, command.Output), output.Result);
        return new CommandLineRun(process.ExitCode, output.Result, error.Result);
    }

    /// <summary>Starts a server until it is ready, and ends it as a person does.</summary>
    internal CommandLineRun RunServer(DocumentedCommand command, string folder)
    {
        int port = Array.IndexOf(command.Arguments, "--port");
        using Process process = Start(port < 0 ? command : command with { Arguments = [.. command.Arguments[..port], .. command.Arguments[(port + 2)..]] }, folder, "--port", "0");
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            StringBuilder error = new();
            while (process.StandardError.ReadLine() is { } line)
            {
                error.AppendLine(line);
                if (line.Contains("ready:", StringComparison.Ordinal))
                {
                    using Process kill = Process.Start("kill", ["-TERM", $"{process.Id}"]);
                }
            }
            Assert.True(process.WaitForExit(Limit), $"{command}: does not end");
            return new CommandLineRun(process.ExitCode, output.Result, error.ToString());
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
    }

    public void Dispose()
    {
        Task.WhenAll(_pages.Values).ContinueWith(_ => { }, TaskScheduler.Default).Wait();
        _slots.Dispose();
        _server.Dispose();
        _models.Dispose();
    }

    private Process Start(DocumentedCommand command, string folder, params string[] more)
    {
        ProcessStartInfo start = new("dotnet", ["exec", typeof(Gradus.Cli.Console.Application).Assembly.Location, .. command.Arguments, .. more])
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach ((string name, string value) in (ReadOnlySpan<(string, string)>)[
            ("GRADUS_THREADS", "1"), ("GRADUS_DATA", ""), ("GRADUS_CACHE", _models["cache"]), ("GRADUS_DATA_REGISTRY", _models["registry.json"]), ("HF_HUB_OFFLINE", "1"), ("DOTNET_TieredPGO", "0"), .. command.Environment])
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    // MODEL is wide and deep enough for every option that a page shows.
    private void WriteModels()
    {
        Tokenizer bpe = ByteLevelBpeTrainer.Train(Corpus.FromTexts(_stories), new ByteLevelBpeOptions(VocabularySize: 400, SpecialTokens: ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])).Tokenizer;
        Tokenizer tokenizer = new(bpe.Parts with { ChatTemplate = ChatTemplate.ChatMl });
        LlamaConfig small = new(HiddenSize: 32, IntermediateSize: 48, NumHiddenLayers: 2, NumAttentionHeads: 2, MaxPositionEmbeddings: 8192, RmsNormEps: 1e-5f, EosTokenId: tokenizer.TokenToId("<|im_end|>"));
        foreach (string name in (ReadOnlySpan<string>)["my-model", "base", "tuned", "start", "a", "b", "c", "stories260k"])
            Write(name, small);
        Write("MODEL", small with { HiddenSize = 128, IntermediateSize = 384, NumHiddenLayers = 7, NumAttentionHeads = 4 });
        Write("my-encoder", new BertConfig(HiddenSize: 16, NumHiddenLayers: 1, NumAttentionHeads: 2, IntermediateSize: 24));
        foreach (string name in (ReadOnlySpan<string>)["lora-a", "lora-b"])
        {
            Copy(_models["adapter"], _models[name]);
            string file = Path.Combine(_models[name], "adapter_config.json");
            File.WriteAllText(file, File.ReadAllText(file).Replace("../llama", _models.Llama, StringComparison.Ordinal));
        }

        void Write(string name, ModelConfig config)
        {
            using LanguageModel model = Checkpoint.Create(config.WithVocabulary(tokenizer.VocabularySize), CounterRandom.Derive(3, name), ReferenceDevice.Instance);
            using AtomicFolder folder = AtomicFolder.Begin(_models[name]);
            Checkpoint.Write(folder, model);
            tokenizer.Save(folder.TemporaryPath);
            folder.Commit();
        }
    }

    private void WriteFiles(string folder)
    {
        string story = string.Join('\n', _stories), chats = Lines(i => new JsonObject { ["prompt"] = $"Story {i}, please.", ["completion"] = FirstSentence(i) }), documents = Lines(i => new JsonObject { ["text"] = _stories[i] });
        foreach (string name in (ReadOnlySpan<string>)["text.txt", "other.txt", "stories.txt", "shakespeare.txt"])
            Write(name, story);
        foreach (string name in (ReadOnlySpan<string>)["chats.jsonl", "held-out.jsonl", "a.jsonl", "b.jsonl"])
            Write(name, chats);
        Write("pairs.jsonl", Lines(i => new JsonObject { ["prompt"] = $"Story {i}, please.", ["chosen"] = FirstSentence(i), ["rejected"] = "None." }));
        Write("sentences.jsonl", Lines(i => new JsonObject { ["sentence"] = FirstSentence(i), ["label"] = i % 2 == 0 ? "even" : "odd" }));
        Write("passages.jsonl", Lines(i => new JsonObject { ["query"] = $"Story {i}", ["passage"] = FirstSentence(i) }));
        foreach (string name in (ReadOnlySpan<string>)["crawl.jsonl", "crawl/crawl.jsonl", "books.jsonl", "web.jsonl"])
            Write(name, documents);
        Write("test.jsonl", Lines(i => new JsonObject { ["text"] = _stories[Records + i] }));
        Write("prompt.txt", "Once upon a time");
        Write("questions.txt", "Who are you?\nWhat is a kite for?\n");
        Write("prompts.jsonl", "{\"prompt\": \"Is it cold?\"}\n{\"prompt\": \"Is it far?\"}\n");
        Write("answer.json", """{"type": "object", "properties": {"answer": {"type": "boolean"}}, "required": ["answer"], "additionalProperties": false}""");
        Write("questions.jsonl", """{"question": "how does an adapter go into a GGUF file", "documents": ["stages/conversion.md"]}""" + "\n");
        using RSA key = RSA.Create(2048);
        using X509Certificate2 certificate = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            .CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        Write("cert.pem", certificate.ExportCertificatePem());
        Write("key.pem", key.ExportPkcs8PrivateKeyPem());

        void Write(string name, string text)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder, name))!);
            File.WriteAllText(Path.Combine(folder, name), text);
        }
    }

    // RECIPE.json stands for a recipe of one's own; the verb says of which kind.
    private static void WriteRecipes(string folder)
    {
        const string Data = """ "data": { "train": ["chats.jsonl"], "validation_fraction": 0.2 }, "training": { "steps": 2 } """;
        foreach ((string name, string recipe) in (ReadOnlySpan<(string, string)>)[
            ("pretrain", """{ "run": "runs/pretrain", "tokenizer": "character", "data": { "train": ["text.txt"], "validation_fraction": 0.2 }, "model": { "model_type": "gpt2", "n_layer": 1, "n_head": 2, "n_embd": 16, "n_positions": 64 }, "batching": { "kind": "blocks", "length": 64, "count": 2 }, "training": { "steps": 2 } }"""),
            ("finetune", $$"""{ "run": "runs/finetune", "model": "base", {{Data}} }"""),
            ("my", $$"""{ "run": "runs/my", "model": "base", {{Data}} }"""),
            ("align", $$"""{ "run": "runs/align", "model": "base", "objective": { "kind": "preference" }, "data": { "train": ["pairs.jsonl"], "validation_fraction": 0.2 }, "training": { "steps": 2 } }"""),
            ("distill", """{ "run": "runs/distill", "teacher": "tuned", "model": "base", "data": { "train": ["text.txt"], "validation_fraction": 0.05 }, "training": { "steps": 2 } }""")])
            File.WriteAllText(Path.Combine(folder, $"RECIPE-{name}.json"), recipe);
        File.Move(Path.Combine(folder, "RECIPE-my.json"), Path.Combine(folder, "my.json"));
    }

    private string FirstSentence(int story) => _stories[story].Split('.')[0] + ".";

    private void AddDataSet(JsonObject registry, string name, params (string File, byte[] Content)[] files)
    {
        JsonObject listed = [];
        foreach ((string file, byte[] content) in files)
        {
            _fetched[$"/{name}/{file}"] = content;
            listed[file] = new JsonObject { ["url"] = $"{_server.Address}{name}/{file}", ["size"] = content.Length, ["sha256"] = Convert.ToHexStringLower(SHA256.HashData(content)) };
        }
        registry[name] = new JsonObject { ["what"] = "A small stand-in.", ["for"] = "Tests.", ["licence"] = "MIT", ["source"] = "https://example.org", ["revision"] = "1", ["files"] = listed };
    }

    private static string Lines(Func<int, JsonObject> record) => string.Concat(Enumerable.Range(0, Records).Select(i => record(i).ToJsonString() + "\n"));

    private static void Copy(string from, string to)
    {
        foreach (string file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }
}
