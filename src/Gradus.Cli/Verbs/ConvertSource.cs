using System.Text.Json.Nodes;
using Gradus.Adapters;
using Gradus.Cli.Console;
using Gradus.Files;
using Gradus.Models;
using Gradus.Tensors.Cpu;
using Gradus.Text;

namespace Gradus.Cli.Verbs;

/// <summary>What is converted: a model with all that belongs to it, read from any format.</summary>
/// <param name="model">The model, its weights as they were stored; disposed with this.</param>
/// <param name="tokenizer">Its tokenizer, or null.</param>
/// <param name="generationConfig">The file of that name, or null.</param>
internal sealed class ConvertSource(LanguageModel model, Tokenizer? tokenizer, JsonObject? generationConfig = null) : IDisposable
{
    /// <summary>How a model likes to be sampled, and what ends its answers.</summary>
    public const string GenerationConfigFile = "generation_config.json";

    /// <summary>The model.</summary>
    public LanguageModel Model => model;

    /// <summary>Its tokenizer, or null.</summary>
    public Tokenizer? Tokenizer => tokenizer;

    /// <summary>generation_config.json, or null.</summary>
    public JsonObject? GenerationConfig => generationConfig;

    /// <summary>Opens a path.</summary>
    /// <param name="path">A model's folder, a run's, an adapter's, or a file.</param>
    /// <param name="tokenizer">Where the tokenizer is, or null to look beside the model.</param>
    /// <exception cref="UsageException">There is nothing at the path that is read here.</exception>
    /// <exception cref="InvalidDataException">A file is broken, or the files do not belong together.</exception>
    public static ConvertSource Open(string path, string? tokenizer)
    {
        Tokenizer? given = tokenizer is null ? null : TokenizerVerb.Open(tokenizer);
        if (File.Exists(path))
            return OpenFile(path, given);
        if (Directory.Exists(path) && !ModelFolder.IsModel(path) && FindLlama2c(path) is { } file)
            return OpenFile(file, given);
        ModelPlace place = ModelFolder.Find(path);
        return OpenPlace(place, given ?? ModelFolder.TryOpenTokenizer(place));
    }

    /// <summary>Frees the model.</summary>
    public void Dispose() => model.Dispose();

    private static ConvertSource OpenPlace(ModelPlace place, Tokenizer? tokenizer)
    {
        // An adapter is merged in f32, or its small changes would be lost in the rounding.
        LanguageModel model = Checkpoint.Load(place.Folder, CpuDevice.Default, keepStoredType: place.Adapter is null);
        try
        {
            if (place.Adapter is not null)
            {
                using ModelAdapter adapter = PeftFolder.Load(place.Adapter, model);
                adapter.Merge();
            }
            string generation = Path.Combine(place.Folder, GenerationConfigFile);
            return new ConvertSource(model, tokenizer, File.Exists(generation) ? Checkpoint.ReadObject(generation) : null);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static ConvertSource OpenFile(string path, Tokenizer? tokenizer)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        using TensorFile file = TensorFile.Open(path);
        if (file is Llama2cFile llama)
        {
            ModelConfig config = Architectures.Parse(llama.Config, path);
            return new ConvertSource(Checkpoint.Load(config, llama, CpuDevice.Default), tokenizer ?? FindLlama2cTokenizer(folder, config.Vocabulary));
        }
        if (file is GgufFile)
            throw new UsageException($"{path}: GGUF models are not converted yet; give a Hugging Face folder or a llama2.c file.");
        if (!File.Exists(Path.Combine(folder, Checkpoint.ConfigFile)))
            throw new UsageException($"{path}: there is no {Checkpoint.ConfigFile} beside it, which says what the tensors mean; put it there.");
        LanguageModel model = Checkpoint.Load(Checkpoint.ReadConfig(folder), file, CpuDevice.Default, keepStoredType: true);
        return new ConvertSource(model, tokenizer ?? ModelFolder.TryOpenTokenizer(new ModelPlace(folder, null)));
    }

    /// <summary>The one llama2.c model of a folder, or null.</summary>
    private static string? FindLlama2c(string folder)
    {
        string[] models = [.. Directory.GetFiles(folder, "*.bin").Where(IsLlama2c).Order(StringComparer.Ordinal)];
        return models.Length > 1
            ? throw new UsageException($"{folder}: has {models.Length} llama2.c models ({string.Join(", ", models.Select(m => Path.GetFileName(m)))}); choose one by its path.")
            : models.FirstOrDefault();
    }

    private static bool IsLlama2c(string path)
    {
        try
        {
            using Llama2cFile file = Llama2cFile.Open(path);
            return true;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }

    /// <summary>The tokenizer beside a llama2.c model: <c>tokenizer.bin</c> or <c>tok512.bin</c>, by its number of pieces.</summary>
    private static Tokenizer? FindLlama2cTokenizer(string folder, int vocabulary)
    {
        foreach (string name in new[] { $"tok{vocabulary}.bin", "tokenizer.bin" })
        {
            string path = Path.Combine(folder, name);
            if (File.Exists(path) && Tokenizer.Load(path) is { } tokenizer && tokenizer.VocabularySize == vocabulary)
                return tokenizer;
        }
        return null;
    }
}
