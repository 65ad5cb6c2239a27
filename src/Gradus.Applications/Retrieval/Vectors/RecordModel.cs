using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.VectorData;
using Microsoft.Extensions.VectorData.ProviderServices;

#pragma warning disable MEVD9001 // The services for providers, which is what this is.

namespace Gradus.Applications.Retrieval.Vectors;

/// <summary>Which records a collection takes: keys that are texts, whole numbers or GUIDs; data of the usual kinds and lists of them; vectors of floats.</summary>
internal sealed class RecordModel() : CollectionModelBuilder(new CollectionModelBuildingOptions { SupportsMultipleVectors = true, RequiresAtLeastOneVector = false })
{
    private const string Keys = "string, int, long, Guid";
    private const string Vectors = "ReadOnlyMemory<float>, Embedding<float>, float[]";

    /// <summary>The model of a class of records.</summary>
    [RequiresDynamicCode("Mapping of records needs code at run time.")]
    [RequiresUnreferencedCode("Mapping of records needs their properties.")]
    public static CollectionModel Of(Type record, Type key, VectorStoreCollectionDefinition? definition, IEmbeddingGenerator? embeddings) => new RecordModel().Build(record, key, definition, embeddings);

    /// <summary>The model of records that are dictionaries.</summary>
    public static CollectionModel Of(VectorStoreCollectionDefinition definition, IEmbeddingGenerator? embeddings) => new RecordModel().BuildDynamic(definition, embeddings);

    /// <inheritdoc/>
    protected override void ValidateKeyProperty(KeyPropertyModel keyProperty)
    {
        base.ValidateKeyProperty(keyProperty);
        if (keyProperty.Type != typeof(string) && keyProperty.Type != typeof(int) && keyProperty.Type != typeof(long) && keyProperty.Type != typeof(Guid))
            throw new NotSupportedException($"Property '{keyProperty.ModelName}' has type '{keyProperty.Type.Name}', which is no key; keys are {Keys}.");
    }

    /// <inheritdoc/>
    protected override bool IsDataPropertyTypeValid(Type type, [NotNullWhen(false)] out string? supportedTypes)
    {
        supportedTypes = RecordValues.Supported;
        return RecordValues.IsSupported(type);
    }

    /// <inheritdoc/>
    protected override bool IsVectorPropertyTypeValid(Type type, [NotNullWhen(false)] out string? supportedTypes)
    {
        supportedTypes = Vectors;
        Type plain = Nullable.GetUnderlyingType(type) ?? type;
        return plain == typeof(ReadOnlyMemory<float>) || plain == typeof(Embedding<float>) || plain == typeof(float[]);
    }
}
