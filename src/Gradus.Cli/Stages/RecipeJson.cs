using System.Text.Json;
using System.Text.Json.Serialization;
using Gradus.Cli.Configuration;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Training.Alignment;
using Gradus.Training.Compression.Distillation;
using Gradus.Training.Data;
using Gradus.Training.Objectives;
using Gradus.Training.Optimizers;
using Gradus.Training.Tuning;

namespace Gradus.Cli.Stages;

/// <summary>Source-generated JSON of recipes.</summary>
[JsonSourceGenerationOptions(
    JsonSerializerDefaults.Strict,
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    AllowOutOfOrderMetadataProperties = true,
    Converters = [typeof(SnakeCaseEnum<Precision>), typeof(SnakeCaseEnum<DecayShape>), typeof(SnakeCaseEnum<TooLong>), typeof(SnakeCaseEnum<MuonScale>), typeof(SnakeCaseEnum<TaskKind>), typeof(SnakeCaseEnum<MaskCount>), typeof(SnakeCaseEnum<LoraStart>), typeof(SnakeCaseEnum<PromptStart>), typeof(SnakeCaseEnum<BottleneckPlacement>), typeof(SnakeCaseEnum<KlEstimator>), typeof(SnakeCaseEnum<RatioLevel>), typeof(SnakeCaseEnum<LossAggregation>), typeof(SnakeCaseEnum<GroupScale>), typeof(SnakeCaseEnum<CpoShape>), typeof(SnakeCaseEnum<FDivergence>), typeof(SnakeCaseEnum<Pooling>), typeof(SnakeCaseEnum<DivergenceKind>), typeof(SnakeCaseEnum<TextAuthor>)])]
[JsonSerializable(typeof(StageRecipe))]
[JsonSerializable(typeof(PipelineRecipe))]
internal sealed partial class RecipeJson : JsonSerializerContext;
