using System.Text.Json.Nodes;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tests.Files;

namespace Gradus.Tests.Models;

/// <summary>Encoders as they were published: old names, bodies without their prefix, tensors of other heads; and configurations that cannot be.</summary>
public sealed class EncoderCheckpointTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("BertForMaskedLM", "bert.")]
    [InlineData("RobertaForMaskedLM", "roberta.")]
    [InlineData("ElectraForMaskedLM", "electra.")]
    [InlineData("DistilBertForMaskedLM", "distilbert.")]
    public void OldNamesAndOtherHeadsAreUnderstood(string name, string body)
    {
        using LanguageModel model = EncoderCases.Make(EncoderCases.Config(name), ReferenceDevice.Instance);
        Dictionary<string, Tensor> stored = Stored(model, n => (n.Contains("LayerNorm.", StringComparison.Ordinal) ? n.Replace(".weight", ".gamma", StringComparison.Ordinal).Replace(".bias", ".beta", StringComparison.Ordinal) : n));
        using Workspace more = new(ReferenceDevice.Instance);
        Linear head = model.Parts.Linears[^1];
        stored.Add($"{head.Path}.weight", ((DenseWeight)head.Weight).Parameter.Value);
        stored.Add($"{body}embeddings.position_ids", more.Zeros(new Shape(1, 32)));
        if (name is "BertForMaskedLM" or "RobertaForMaskedLM")
        {
            stored.Add($"{head.Path}.bias", head.Bias!.Value);
            stored.Add($"{body}pooler.dense.weight", more.Zeros(new Shape(24, 24)));
        }
        if (name == "BertForMaskedLM")
            stored.Add("cls.seq_relationship.bias", more.Zeros(new Shape(2)));
        AssertReads(model, stored);
    }

    [Theory]
    [InlineData("BertForPreTraining", "bert.")]
    [InlineData("RobertaForSequenceClassification", "roberta.")]
    [InlineData("XLNetLMHeadModel", "transformer.")]
    public void ABodyMayBeStoredWithoutItsName(string name, string body)
    {
        using LanguageModel model = EncoderCases.Make(EncoderCases.Config(name), ReferenceDevice.Instance);
        AssertReads(model, Stored(model, n => n.StartsWith(body, StringComparison.Ordinal) ? n[body.Length..] : n));
    }

    [Fact]
    public void ABareBodyMayBeStoredWithItsName()
    {
        using LanguageModel model = EncoderCases.Make(EncoderCases.Config("BertModel"), ReferenceDevice.Instance);
        AssertReads(model, Stored(model, n => $"bert.{n}"));
    }

    [Fact]
    public void OnlyABareBodyMayLackItsPooler()
    {
        using (LanguageModel model = EncoderCases.Make(EncoderCases.Config("BertModel"), ReferenceDevice.Instance))
            Write(model, Without(model, "pooler."));
        using LanguageModel read = Checkpoint.Load(_folder["model"], ReferenceDevice.Instance);
        using Workspace step = read.Parts.Store.NewScratch();
        Pass pass = new(EncoderCases.Batch(4), step);
        EncoderModel body = Assert.IsType<Bert>(read);
        Assert.Throws<NotSupportedException>(() => body.Pooled(body.Hidden(pass), pass));

        using LanguageModel classifier = EncoderCases.Make(EncoderCases.Config("BertForSequenceClassification"), ReferenceDevice.Instance);
        Write(classifier, Without(classifier, "bert.pooler."));
        Assert.Contains("bert.pooler.dense.weight", Failure(), StringComparison.Ordinal);
    }

    [Fact]
    public void UnexpectedTensorsAreNamed()
    {
        using LanguageModel model = EncoderCases.Make(EncoderCases.Config("BertForTokenClassification"), ReferenceDevice.Instance);
        Dictionary<string, Tensor> stored = Stored(model, n => n);
        stored.Add("bert.encoder.layer.2.output.dense.bias", model.Parameters[0].Value);
        Write(model, stored);
        Assert.Contains("bert.encoder.layer.2.output.dense.bias", Failure(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("bert", "BertForMultipleChoice", "architectures: BertForMultipleChoice is not supported")]
    [InlineData("xlnet", "Transformer", "supported are XLNetForQuestionAnsweringSimple")]
    public void UnknownHeadsAreRefused(string type, string name, string message) =>
        Assert.Contains(message, Refused(new JsonObject { ["model_type"] = type, ["architectures"] = new JsonArray(name) }), StringComparison.Ordinal);

    [Theory]
    [InlineData("""{"model_type": "bert", "position_embedding_type": "relative_key"}""", "position_embedding_type")]
    [InlineData("""{"model_type": "bert", "is_decoder": true}""", "is_decoder")]
    [InlineData("""{"model_type": "roberta", "max_position_embeddings": 2}""", "max_position_embeddings")]
    [InlineData("""{"model_type": "distilbert", "dropout": 1}""", "dropout")]
    [InlineData("""{"model_type": "xlnet", "attn_type": "left"}""", "attn_type")]
    [InlineData("""{"model_type": "xlnet", "d_model": 3, "n_head": 1}""", "d_model")]
    [InlineData("""{"model_type": "bert", "id2label": {"0": "a", "2": "b"}}""", "id2label")]
    [InlineData("""{"model_type": "bert", "id2label": {"00": "a", "0": "b"}}""", "id2label")]
    [InlineData("""{"model_type": "bert", "id2label": []}""", "id2label")]
    [InlineData("""{"model_type": "bert", "num_labels": 2147483647}""", "num_labels")]
    [InlineData("""{"model_type": "bert", "num_labels": 1.5}""", "num_labels")]
    [InlineData("""{"model_type": "gpt2", "problem_type": "ranking"}""", "problem_type")]
    public void WrongValuesAreNamed(string config, string key) =>
        Assert.StartsWith($"config.json: {key}: ", Refused(JsonNode.Parse(config)!.AsObject()), StringComparison.Ordinal);

    [Fact]
    public void LabelsAreReadAndWrittenAsTransformersDoes()
    {
        ModelConfig named = Architectures.Parse(JsonNode.Parse("""{"model_type": "bert", "id2label": {"1": "good", "0": "bad", "2": "so"}, "num_labels": 7}""")!.AsObject(), "config.json");
        Assert.Equal(["bad", "good", "so"], named.Labels.Names);
        Assert.Equal("""{"bad":0,"good":1,"so":2}""", Architectures.ToJson(named)["label2id"]!.ToJsonString());
        ModelConfig counted = Architectures.Parse(JsonNode.Parse("""{"model_type": "llama", "num_labels": 1}""")!.AsObject(), "config.json");
        Assert.Equal(ProblemType.Regression, counted.Labels.Problem);
        Assert.Equal("""{"0":"LABEL_0"}""", Architectures.ToJson(counted)["id2label"]!.ToJsonString());
        ModelConfig usual = Architectures.Parse(JsonNode.Parse("""{"model_type": "llama", "problem_type": null}""")!.AsObject(), "config.json");
        Assert.Equal(LabelSet.Default, usual.Labels);
        Assert.False(Architectures.ToJson(usual).ContainsKey("id2label"));
    }

    [Theory]
    [InlineData("LlamaModel", "LlamaForCausalLM")]
    [InlineData("TinyStoryteller", "LlamaForCausalLM")]
    [InlineData("LlamaForSequenceClassification", "LlamaForSequenceClassification")]
    public void ADecoderIsItsUsualClassOrAClassifier(string named, string architecture)
    {
        ModelConfig config = Architectures.Parse(new JsonObject { ["model_type"] = "llama", ["architectures"] = new JsonArray(named) }, "config.json");
        Assert.Equal(architecture, config.Architecture);
        Assert.Equal(architecture, (string)Architectures.ToJson(config)["architectures"]![0]!);
    }

    [Theory]
    [InlineData("BertForPreTraining", "BertForTokenClassification")]
    [InlineData("BertForMaskedLM", "BertForSequenceClassification")]
    [InlineData("RobertaForMaskedLM", "RobertaForQuestionAnswering")]
    [InlineData("DistilBertForMaskedLM", "DistilBertForSequenceClassification")]
    [InlineData("ElectraForPreTraining", "ElectraForSequenceClassification")]
    [InlineData("XLNetLMHeadModel", "XLNetForSequenceClassification")]
    [InlineData("LlamaForCausalLM", "LlamaForSequenceClassification")]
    [InlineData("GPT2LMHeadModel", "GPT2ForSequenceClassification")]
    public void ABodyGetsTheHeadOfAnotherTask(string stored, string task)
    {
        using LanguageModel model = EncoderCases.Make(EncoderCases.Config(task) with { Architecture = stored }, ReferenceDevice.Instance);
        Write(model, Stored(model, n => n));
        using TaskModel read = Checkpoint.LoadForTask(_folder["model"], ReferenceDevice.Instance, task, LabelSet.OfCount(5), seed: 3);
        using TaskModel again = Checkpoint.LoadForTask(_folder["model"], ReferenceDevice.Instance, task, LabelSet.OfCount(5), seed: 3);
        Assert.Equal(task, read.Config.Architecture);
        Assert.Equal(read.Parameters.SelectMany(p => p.Value.ToArray()), again.Parameters.SelectMany(p => p.Value.ToArray()));
        foreach (Parameter p in read.Parameters.Where(p => model.Parts.Find(p.Name) is not null))
            Assert.Equal(model.Parts.Find(p.Name)!.Value.ToArray(), p.Value.ToArray());
        Assert.Contains(read.Parameters, p => model.Parts.Find(p.Name) is null);

        Write(model, Without(model, model.Parameters.First(p => p.Name.EndsWith(".bias", StringComparison.Ordinal) || p.Name.EndsWith("norm.weight", StringComparison.Ordinal)).Name));
        Assert.Throws<InvalidDataException>(() => Checkpoint.LoadForTask(_folder["model"], ReferenceDevice.Instance, task, LabelSet.OfCount(5), seed: 3).Dispose());
    }

    [Fact]
    public void AFamilyIsNotAskedForTheHeadOfAnother()
    {
        using LanguageModel model = EncoderCases.Make(EncoderCases.Config("BertForMaskedLM"), ReferenceDevice.Instance);
        Write(model, Stored(model, n => n));
        foreach (string task in (string[])["RobertaForMaskedLM", "BertModel"])
        {
            InvalidDataException e = Assert.Throws<InvalidDataException>(() => Checkpoint.LoadForTask(_folder["model"], ReferenceDevice.Instance, task, LabelSet.Default, seed: 3).Dispose());
            Assert.Contains("BertForNextSentencePrediction", e.Message, StringComparison.Ordinal);
        }
    }

    private static Dictionary<string, Tensor> Stored(LanguageModel model, Func<string, string> rename) =>
        model.Parameters.ToDictionary(p => rename(p.Name), p => p.Value);

    private static Dictionary<string, Tensor> Without(LanguageModel model, string prefix) =>
        model.Parameters.Where(p => !p.Name.StartsWith(prefix, StringComparison.Ordinal)).ToDictionary(p => p.Name, p => p.Value);

    private void Write(LanguageModel model, Dictionary<string, Tensor> tensors)
    {
        Directory.CreateDirectory(_folder["model"]);
        File.WriteAllText(Path.Combine(_folder["model"], Checkpoint.ConfigFile), Architectures.ToJson(model.Config).ToJsonString());
        Checkpoint.WriteTensors(File.Create(Path.Combine(_folder["model"], Checkpoint.WeightsFile)), tensors);
    }

    private void AssertReads(LanguageModel model, Dictionary<string, Tensor> stored)
    {
        Write(model, stored);
        using LanguageModel read = Checkpoint.Load(_folder["model"], ReferenceDevice.Instance);
        Assert.Equal(model.Parameters.Select(p => p.Name), read.Parameters.Select(p => p.Name));
        foreach ((Parameter expected, Parameter actual) in model.Parameters.Zip(read.Parameters))
            Assert.Equal(expected.Value.ToArray(), actual.Value.ToArray());
    }

    private string Failure() => Assert.Throws<InvalidDataException>(() => Checkpoint.Load(_folder["model"], ReferenceDevice.Instance).Dispose()).Message;

    private static string Refused(JsonObject config) => Assert.Throws<InvalidDataException>(() => Architectures.Parse(config, "config.json")).Message;
}
