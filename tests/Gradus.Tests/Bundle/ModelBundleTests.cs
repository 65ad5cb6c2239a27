using System.Text.Json.Nodes;
using Gradus.Adapters;
using Gradus.Bundle;
using Gradus.Generation;
using Gradus.Models;
using Gradus.Tensors.Cpu;
using Gradus.Tests.Files;
using Gradus.Text.Chat;

namespace Gradus.Tests.Bundle;

/// <summary>Models of every kind opened with all that belongs to them, and one way from messages to what they read.</summary>
public sealed class ModelBundleTests : IDisposable
{
    private static readonly ChatConversation Question = new([new ChatMessage("system", "Be kind."), new ChatMessage("user", "Who are you?")]);
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ADecoderGoesOnFromItsTemplate()
    {
        using ModelBundle bundle = ModelBundle.Open(SmallBundles.Write(_folder, "llama", SmallBundles.Llama), CpuDevice.Default, ModelBundleOptions.ToRun);
        GenerationRequest request = bundle.Answer(Question);
        Assert.Null(request.Source);
        Assert.Equal("<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nWho are you?<|im_end|>\n<|im_start|>assistant\n",
            bundle.Tokenizer.Decode(request.Prompt, skipSpecialTokens: false));
        int[] ends = [.. new[] { "<|endoftext|>", "<|im_end|>" }.Select(t => bundle.Tokenizer.TokenToId(t)!.Value).Order()];
        Assert.Equal(ends, request.StopTokens);
        Assert.Equal([bundle.Tokenizer.EosId!.Value], bundle.Continue("a").StopTokens);
        Assert.Equal(bundle.Tokenizer.Encode("abc"), bundle.Continue("abc").Prompt);
        // Nothing at all begins with what parts texts.
        Assert.Equal([bundle.Tokenizer.EndOfText!.Value], bundle.Continue("").Prompt);
    }

    [Fact]
    public void AdaptersBesideEachOtherAreBundlesOfOneModel()
    {
        string folder = SmallBundles.Write(_folder, "llama", SmallBundles.Llama);
        using ModelBundle bundle = ModelBundle.Open(folder, CpuDevice.Default, ModelBundleOptions.ToRun);
        using (ModelBundle trained = ModelBundle.Open(folder, CpuDevice.Default))
        {
            using ModelAdapter made = ModelAdapter.Attach(trained.Model, new LoraConfig(InitLoraWeights: LoraInit.Random), 1);
            PeftFolder.Save(_folder["adapter"], made);
        }
        // A chat template of its own, and another token that ends its texts.
        int end = bundle.Tokenizer.Encode("b")[^1];
        foreach (string file in (string[])["tokenizer.json", "tokenizer_config.json"])
            File.Copy(Path.Combine(folder, file), Path.Combine(_folder["adapter"], file));
        File.WriteAllText(Path.Combine(_folder["adapter"], "chat_template.jinja"), "Q. {{ messages[-1].content }} A.");
        File.WriteAllText(Path.Combine(_folder["adapter"], "generation_config.json"), $$"""{"eos_token_id": {{end}}}""");
        GenerationRequest request = bundle.Continue("abc");
        ModelBundle adapted = bundle.OpenAdapter("tuned", _folder["adapter"]);
        Assert.Same(bundle.Model, adapted.Model);
        Assert.Null(request.Adapter);
        Assert.Equal("tuned", adapted.Continue("abc").Adapter);
        Assert.Contains(end, adapted.EndIds);
        Assert.DoesNotContain(end, bundle.EndIds);
        Assert.Equal("Q. Who are you? A.", adapted.Tokenizer.Decode(adapted.Answer(Question).Prompt, skipSpecialTokens: false));
        using (Generator generator = new(bundle.Generative))
        {
            IReadOnlyList<GeneratedSequence> both = generator.Run(
                [.. new[] { bundle, adapted }.Select(b => b.Continue("abc") with { MaxNewTokens = 4, StopTokens = [], LogProbabilities = true })]);
            Assert.NotEqual(both[0].LogProbabilities.ToArray(), both[1].LogProbabilities.ToArray());
        }
        Assert.NotEqual(new TextEmbedder(bundle).Embed(["abc"])[0], new TextEmbedder(adapted).Embed(["abc"])[0]);
        Assert.Throws<ArgumentException>(() => bundle.OpenAdapter("tuned", _folder["adapter"]));
        Assert.Throws<InvalidOperationException>(() => adapted.OpenAdapter("second", _folder["adapter"]));
        adapted.Dispose();
        using Generator after = new(bundle.Generative);
        Assert.Throws<ArgumentException>(() => after.Run(request with { Adapter = "tuned" }));
        using ModelBundle again = bundle.OpenAdapter("tuned", _folder["adapter"]);
    }

    [Fact]
    public void AModelWithAnEncoderReadsTheMessages()
    {
        using ModelBundle bundle = ModelBundle.Open(SmallBundles.Write(_folder, "t5", SmallBundles.T5), CpuDevice.Default);
        GenerationRequest request = bundle.Answer(Question);
        int end = bundle.Tokenizer.EndOfText!.Value;
        Assert.Equal([.. bundle.Tokenizer.Encode("Be kind.\n\nWho are you?"), end], request.Source!);
        Assert.Equal([((EncoderDecoderModel)bundle.Model).StartToken], request.Prompt);
        Assert.Equal(request.Source!.Length, request.TokensRead);
        Assert.Equal(0, request.TextBefore.Length);
        Assert.Equal([end], request.StopTokens);
        using Generator generator = new(bundle.Generative);
        Assert.Equal(3, generator.Run([request with { MaxNewTokens = 3, StopTokens = [] }])[0].Generated.Length);
    }

    [Fact]
    public void EndIdsOfAllFilesCount()
    {
        string model = SmallBundles.Write(_folder, "llama", SmallBundles.Llama), adapter = SmallBundles.WriteAdapter(_folder, "adapter", model, "../llama");
        File.WriteAllText(Path.Combine(model, "generation_config.json"), new JsonObject { ["eos_token_id"] = 5 }.ToJsonString());
        File.WriteAllText(Path.Combine(adapter, "generation_config.json"), new JsonObject { ["eos_token_id"] = new JsonArray(7, 9) }.ToJsonString());
        using ModelBundle bundle = ModelBundle.Open(adapter, CpuDevice.Default);
        Assert.Superset(new HashSet<int> { 5, 7, 9, bundle.Tokenizer.EosId!.Value }, new HashSet<int>(bundle.EndIds));
        Assert.Equal(bundle.EndIds.Order(), bundle.EndIds);
    }

    [Fact]
    public void ATemplateIsWhatTheModelHasOrWhatIsGiven()
    {
        string bare = SmallBundles.Write(_folder, "bare", SmallBundles.Llama, chat: false);
        using (ModelBundle bundle = ModelBundle.Open(bare, CpuDevice.Default))
        {
            Assert.Null(bundle.Template);
            Assert.Contains("no chat template", Assert.Throws<InvalidDataException>(() => bundle.Answer(Question)).Message, StringComparison.Ordinal);
        }
        using (ModelBundle bundle = ModelBundle.Open(bare, CpuDevice.Default, new ModelBundleOptions(DefaultTemplate: true)))
            Assert.NotEmpty(bundle.Answer(Question).Prompt);
    }

    [Fact]
    public void AnEncoderOpensButWritesNothing()
    {
        string folder = SmallBundles.Write(_folder, "bert", SmallBundles.Bert);
        using (ModelBundle bundle = ModelBundle.Open(folder, CpuDevice.Default))
        {
            Assert.Equal("BertModel", bundle.Model.Config.Architecture);
            Assert.Contains("does not write text", Assert.Throws<InvalidDataException>(() => bundle.Continue("a")).Message, StringComparison.Ordinal);
        }
        Assert.Throws<InvalidDataException>(() => ModelBundle.Open(folder, CpuDevice.Default, new ModelBundleOptions(WritesText: true)));
    }

    [Fact]
    public void AnAdapterFindsItsBase()
    {
        string model = SmallBundles.Write(_folder, "llama", SmallBundles.Llama), adapter = SmallBundles.WriteAdapter(_folder, "adapter", model, "../gone");
        string missing = Assert.Throws<InvalidDataException>(() => ModelLocation.Find(adapter)).Message;
        Assert.Contains("../gone", missing, StringComparison.Ordinal);
        Assert.Equal(new ModelLocation(model, adapter), ModelLocation.Find(adapter, baseModel: model));
        Assert.Equal(new ModelLocation(model, adapter), ModelLocation.Find(adapter, name => name == "../gone" ? model : null));
        Assert.Contains("is an adapter itself", Assert.Throws<InvalidDataException>(() => ModelLocation.Find(adapter, baseModel: adapter)).Message, StringComparison.Ordinal);
        Assert.Contains("no base model", Assert.Throws<InvalidDataException>(() => ModelLocation.Find(model, baseModel: model)).Message, StringComparison.Ordinal);
        Assert.Contains("no such folder", Assert.Throws<InvalidDataException>(() => ModelLocation.Find(_folder["nothing"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ManyThreadsReadTheSameModel()
    {
        using ModelBundle bundle = ModelBundle.Open(SmallBundles.Write(_folder, "llama", SmallBundles.Llama), CpuDevice.Default, ModelBundleOptions.ToRun);
        int[] alone = Write("Who are you?"), other = Write("a b c");
        int[][] together = new int[8][];
        Parallel.For(0, together.Length, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i => together[i] = Write(i % 2 == 0 ? "Who are you?" : "a b c"));
        Assert.All(together.Select((ids, i) => (ids, i)), t => Assert.Equal(t.i % 2 == 0 ? alone : other, t.ids));

        int[] Write(string text)
        {
            using Generator generator = new(bundle.Generative);
            GenerationRequest request = bundle.Answer(new ChatConversation([new ChatMessage("user", text)]));
            return generator.Run([request with { MaxNewTokens = 5, Seed = 3, StopTokens = [] }])[0].Generated.ToArray();
        }
    }
}
